/**
 * The subscribers of one topic who get broadcasts in the same form.
 *
 * The form is a class: serializer, how frames leave (published by the engine, sent one by one, or
 * through a queue; compressed or not), and which events are intercepted. A broadcast is encoded and
 * published once per lane.
 *
 * Runs on: shard.
 * Owns: `lane` and `laneAt` of its channels, by which one leaves without a search.
 */

import type { Serializer } from "../protocol/serializer.ts";
import { withOneMore } from "./short-array.ts";
import type { Channel } from "./channel.ts";
import type { Publisher } from "./connection.ts";

/** What the channels of a lane have in common. */
export interface LaneClass {
  readonly serializer: Serializer;
  readonly isNative: boolean;
  readonly isCompressed: boolean;
  /** True where what finds no room waits in a queue of each channel. Never native. */
  readonly isQueued: boolean;
  /** Events that go to the channel instead of the client. */
  readonly intercepts: ReadonlyMap<string, unknown>;
  /** Stands before the topic in the engine's name for it, so that users' topics meet none of ours. */
  readonly prefix: string;
}

const NONE: Channel[] = [];

/** One topic's channels of one class. */
export class Lane {
  readonly kind: LaneClass;
  readonly nativeTopic: string;
  /** True while broadcasts to it are held (`held-broadcasts`). */
  isHeld = false;
  #channels: Channel[] = NONE;

  constructor(kind: LaneClass, topic: string) {
    this.kind = kind;
    this.nativeTopic = kind.prefix + topic;
  }

  get size(): number {
    return this.#channels.length;
  }

  /** The channels, in no order. Not to be kept: `add` and `remove` change it. */
  get channels(): readonly Channel[] {
    return this.#channels;
  }

  /** Adds a channel that is on no lane. */
  add(channel: Channel): void {
    channel.lane = this;
    channel.laneAt = this.#channels.length;
    // Most topics of most apps have few members.
    if (this.#channels.length < 4) this.#channels = withOneMore(this.#channels, channel);
    else this.#channels.push(channel);
  }

  /** Has the engine send a frame to all channels of a native lane, but for one that it is from. */
  publish(
    publisher: Publisher,
    frame: Uint8Array,
    isBinary: boolean,
    from: Channel | undefined,
  ): void {
    const { nativeTopic, size } = this;
    const sender = from?.lane === this ? from.owner.connection : undefined;
    if (sender?.isOpen === true && sender.native) {
      // Leaves out the connection: the same thing here, as it has the topic joined just once.
      // A connection that is gone publishes nothing, and gets nothing that all others get.
      sender.native.publish(nativeTopic, frame, isBinary, size - 1);
    } else {
      publisher.publish(nativeTopic, frame, isBinary, size, this.kind.isCompressed);
    }
  }

  /** Removes a channel; the last one takes its place. */
  remove(channel: Channel): void {
    channel.lane = undefined;
    const last = this.#channels.pop();
    if (last === undefined || last === channel) return;
    this.#channels[channel.laneAt] = last;
    last.laneAt = channel.laneAt;
  }
}
