/**
 * Delivers broadcasts past the channels, straight to their connections.
 *
 * Plain lanes get the bytes in one native publish; a lane that intercepts the event hands it to
 * its channels, decoded for each, so that no channel can change what another sees. Channels that
 * may miss broadcasts are never subscribed natively, as the engine cannot be made to forget: each
 * gets the bytes where its connection has room, and else has them wait in its own queue. A binary
 * broadcast has no form in version 1: its channels there are told that they missed it.
 *
 * Runs on: shard.
 */

import { jsonV1, v1Broadcast } from "../protocol/json-v1.ts";
import type { Serializer } from "../protocol/serializer.ts";
import type { Dispatcher } from "../pubsub/dispatcher.ts";
import type { Envelope } from "../pubsub/envelope.ts";
import type { TopicEntry } from "../pubsub/registry.ts";
import type { Channel } from "./channel.ts";
import type { Publisher } from "./connection.ts";
import { Lane, type LaneClass } from "./lane.ts";
import { SendQueue, type QueuedBroadcast } from "./send-queue.ts";

const NO_FORM = "a binary broadcast has no form for a client of version 1";

/** The lanes of all topics of a shard. */
export class Fastlane implements Dispatcher<Lane> {
  readonly #publisher: Publisher;
  readonly #onSkipped: (count: number) => void;
  readonly #classes = new Map<ReadonlyMap<string, unknown>, LaneClass[]>();
  #classCount = 0;

  /** @param onSkipped - called with the number of channels that a binary broadcast skipped */
  constructor(publisher: Publisher, onSkipped: (count: number) => void) {
    this.#publisher = publisher;
    this.#onSkipped = onSkipped;
  }

  /** Puts a channel on the topic's lane of its class. The topic is counted by the caller. */
  join(entry: TopicEntry<Lane>, channel: Channel): void {
    const kind = this.#classOf(channel);
    let lane = entry.lanes.find((other) => other.kind === kind);
    if (!lane) {
      lane = new Lane(kind, entry.topic);
      entry.lanes = [...entry.lanes, lane];
    }
    lane.add(channel);
    if (kind.isNative) channel.owner.connection.subscribe(lane.nativeTopic);
  }

  /** Takes a channel off its lane. */
  leave(entry: TopicEntry<Lane>, channel: Channel): void {
    const { lane } = channel;
    if (!lane) return;
    lane.remove(channel);
    channel.queue?.end();
    if (lane.kind.isNative) channel.owner.connection.unsubscribe(lane.nativeTopic);
    if (lane.size === 0) entry.lanes = entry.lanes.filter((other) => other !== lane);
  }

  dispatch(entry: TopicEntry<Lane>, envelope: Envelope, from: object | undefined): void {
    let event: string | undefined;
    let intercepted: Channel[] | undefined;
    let skipped: Channel[] | undefined;
    const { isBinary } = envelope;
    for (const lane of entry.lanes) {
      if (lane.kind.intercepts.size > 0) {
        event ??= envelope.event();
        if (lane.kind.intercepts.has(event)) {
          intercepted = [...(intercepted ?? []), ...lane.channels];
          continue;
        }
      }
      if (isBinary && lane.kind.serializer === jsonV1) {
        skipped = [...(skipped ?? []), ...lane.channels];
        continue;
      }
      this.#deliver(lane, envelope, from as Channel | undefined);
    }
    // Last, and with payloads decoded first: a handler may broadcast, which uses the bytes anew.
    if (intercepted) this.#intercept(intercepted, event as string, envelope, from);
    if (skipped) this.#skip(skipped.filter((channel) => channel !== from));
  }

  missed(entry: TopicEntry<Lane>): void {
    const channels = entry.lanes.flatMap((lane) => [...lane.channels]);
    for (const channel of channels) channel.missed();
  }

  #deliver(lane: Lane, envelope: Envelope, from: Channel | undefined): void {
    const { kind, nativeTopic, size } = lane;
    const { isBinary } = envelope;
    const frame = frameFor(kind.serializer, envelope);
    const isSender = from !== undefined && from.lane === lane;
    if (kind.isQueued) {
      this.#enqueue(lane, envelope, frame, from);
    } else if (!kind.isNative) {
      // A copy: a connection that ends within `send` takes its channel off the lane.
      for (const channel of lane.channels.slice()) {
        if (channel !== from) channel.owner.connection.send(frame, isBinary);
      }
    } else if (isSender && from.owner.connection.isOpen) {
      // Leaves out the connection: the same thing here, as it has the topic joined just once.
      // A connection that is gone publishes nothing, and gets nothing that all others get.
      from.owner.connection.publish(nativeTopic, frame, isBinary, size - 1);
    } else {
      this.#publisher.publish(nativeTopic, frame, isBinary, size, kind.isCompressed);
    }
  }

  #skip(channels: readonly Channel[]): void {
    this.#onSkipped(channels.length);
    for (const channel of channels) channel.runtime.missed(channel, NO_FORM);
  }

  // What waits must be a copy: the frame may lie in a ring. All queues share it.
  #enqueue(lane: Lane, envelope: Envelope, frame: Uint8Array, from: Channel | undefined): void {
    const { isBinary } = envelope;
    let kept: QueuedBroadcast | undefined;
    for (const channel of lane.channels.slice()) {
      const { slow } = channel.definition;
      const { connection } = channel.owner;
      if (channel === from || !slow) continue;
      if (!channel.queue && connection.hasRoom) {
        connection.send(frame, isBinary);
        continue;
      }
      kept ??= { event: envelope.event(), frame: new Uint8Array(frame), isBinary };
      channel.queue ??= new SendQueue(channel, slow);
      channel.queue.put(kept);
    }
  }

  #intercept(
    channels: readonly Channel[],
    event: string,
    envelope: Envelope,
    from: object | undefined,
  ): void {
    const letters = channels
      .filter((channel) => channel !== from)
      .map((channel) => ({ channel, payload: envelope.payload() }));
    for (const { channel, payload } of letters) channel.runtime.receiveOut(channel, event, payload);
  }

  #classOf(channel: Channel): LaneClass {
    const { intercept, slow } = channel.definition;
    const { serializer, connection } = channel.owner;
    const isQueued = slow !== undefined;
    const isNative = connection.isNative && !isQueued;
    const { isCompressed } = connection;
    // Definitions that intercept nothing share a class.
    const key = intercept.size === 0 ? NOTHING : intercept;
    let classes = this.#classes.get(key);
    if (!classes) this.#classes.set(key, (classes = []));
    let kind = classes.find(
      (one) =>
        one.serializer === serializer &&
        one.isNative === isNative &&
        one.isQueued === isQueued &&
        one.isCompressed === isCompressed,
    );
    if (!kind) {
      const prefix = `${this.#classCount}:`;
      kind = { serializer, isNative, isQueued, isCompressed, intercepts: key, prefix };
      this.#classCount += 1;
      classes.push(kind);
    }
    return kind;
  }
}

const NOTHING: ReadonlyMap<string, unknown> = new Map();

function frameFor(serializer: Serializer, envelope: Envelope): Uint8Array {
  return serializer === jsonV1 ? v1Broadcast(envelope) : envelope.frame();
}
