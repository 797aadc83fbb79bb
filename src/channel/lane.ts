/**
 * The subscribers of one topic that receive broadcasts in the same form.
 *
 * The form depends on the serializer, on how frames leave (published by the engine, sent one by one,
 * or through a queue; compressed or not), and on which events are intercepted. A broadcast is encoded
 * and published once per lane.
 *
 * Runs on: shard.
 * Owns: `lane` and `laneAt` of its subscribers, so that a subscriber is removed without a search.
 */

import type { Serializer } from "../protocol/serializer.ts";
import type { Connection, Publisher } from "./connection.ts";
import type { SlowChannel } from "./definition.ts";
import type { KeptFrames } from "./kept-frames.ts";
import type { QueueOwner } from "./send-queue.ts";

/**
 * What a channel gets of kept broadcasts: them as any other, with their offsets since it asked for
 * a history, or nothing while it is being brought level.
 */
export const TRACKS = { nothing: 0, live: 1, replaying: 2 } as const;
export type Tracks = (typeof TRACKS)[keyof typeof TRACKS];

/** A channel that receives its topic's broadcasts. */
export interface Subscriber extends QueueOwner {
  readonly owner: { readonly connection: Connection; readonly serializer: Serializer };
  readonly definition: {
    readonly intercept: ReadonlyMap<string, unknown>;
    readonly slow: SlowChannel | undefined;
  };
  /** The lane that contains the channel, and the channel's index in that lane. */
  lane: Lane | undefined;
  laneAt: number;
  /** Present if the client asked for a history. */
  readonly history?: SubscriberHistory | undefined;

  /** Handles a broadcast with an intercepted event. @param bytes - length of the encoded payload */
  receiveOut(event: string, payload: unknown, bytes: number): void;
  /** Called, with the reason, when a broadcast cannot be encoded for the client. */
  noForm(reason: string): void;
  /** Called when broadcasts were lost between threads. */
  missed(): void;
}

/** The part of a channel's history that its lane needs. */
export interface SubscriberHistory {
  readonly tracks: Tracks;
  /** Whether a kept message must wait for another one. */
  readonly isPending: boolean;
  /** Handles a kept broadcast with an intercepted event. */
  receive(event: string, payload: unknown, bytes: number, position: number): void;
  /** Sends the frames of a kept broadcast once those before it have been handled. */
  sendLater(frames: KeptFrames): void;
}

/** Properties shared by the subscribers of a lane. */
export interface LaneClass {
  readonly serializer: Serializer;
  readonly isNative: boolean;
  readonly isCompressed: boolean;
  /**
   * True if each subscriber has a queue, where broadcasts wait for room. Such lanes are never
   * native.
   */
  readonly isQueued: boolean;
  readonly tracks: Tracks;
  /** Events that go to the channel instead of the client. */
  readonly intercepts: ReadonlyMap<string, unknown>;
  /**
   * Prefix of the topic in the engine's name for it, so that a user's topic cannot equal an
   * internal one.
   */
  readonly prefix: string;
}

const NO_SUBSCRIBERS: Subscriber[] = [];

/** One topic's subscribers of one class. */
export class Lane {
  readonly kind: LaneClass;
  readonly nativeTopic: string;
  /** True while broadcasts to this lane are held (`held-broadcasts`). */
  isHeld = false;
  #subscribers: Subscriber[] = NO_SUBSCRIBERS;

  constructor(kind: LaneClass, topic: string) {
    this.kind = kind;
    this.nativeTopic = kind.prefix + topic;
  }

  get size(): number {
    return this.#subscribers.length;
  }

  /**
   * The subscribers, in no particular order. Copy the array to keep it: `add` and `remove` change
   * it.
   */
  get subscribers(): readonly Subscriber[] {
    return this.#subscribers;
  }

  /** Adds a subscriber that is not on any lane. */
  add(subscriber: Subscriber): void {
    subscriber.lane = this;
    subscriber.laneAt = this.#subscribers.length;
    // Most topics have few subscribers. `push` makes an array reserve 17 elements, which wastes 128
    // bytes; `concat` allocates exactly what is needed.
    if (this.#subscribers.length === 0) this.#subscribers = [subscriber];
    else if (this.#subscribers.length < 4) this.#subscribers = this.#subscribers.concat(subscriber);
    else this.#subscribers.push(subscriber);
  }

  /** Publishes a frame to all subscribers of a native lane except its sender. */
  publish(
    publisher: Publisher,
    frame: Uint8Array,
    isBinary: boolean,
    from: Subscriber | undefined,
  ): void {
    const { nativeTopic, size } = this;
    const sender = from?.lane === this ? from.owner.connection : undefined;
    if (sender?.isOpen === true && sender.native) {
      // This excludes the sender's connection, which has joined the topic only once. A closed
      // connection cannot publish; the other branch handles it, and it receives nothing anyway.
      sender.native.publish(nativeTopic, frame, isBinary, size - 1);
    } else {
      publisher.publish(nativeTopic, frame, isBinary, size, this.kind.isCompressed);
    }
  }

  /** Removes a subscriber. The last subscriber takes over its index. */
  remove(subscriber: Subscriber): void {
    subscriber.lane = undefined;
    const last = this.#subscribers.pop();
    if (last === undefined || last === subscriber) return;
    this.#subscribers[subscriber.laneAt] = last;
    last.laneAt = subscriber.laneAt;
  }
}
