/**
 * Delivers broadcasts past the channels, straight to their connections.
 *
 * Plain lanes get the bytes in one native publish; a lane that intercepts the event hands it to
 * its channels, decoded for each, so that no channel can change what another sees. Channels that
 * may miss broadcasts are never subscribed natively, as the engine cannot be made to forget: each
 * gets the bytes where its connection has room, and else has them wait in its own queue. A binary
 * broadcast has no form in version 1: its channels there are told that they missed it. A serializer
 * of the user's own is given the broadcast decoded, and writes it once for its lane.
 * What this thread sends to plain lanes is held where its window takes it, until that ends.
 *
 * Runs on: shard.
 */

import { jsonV1, v1Broadcast } from "../protocol/json-v1.ts";
import type { Frame, Serializer } from "../protocol/serializer.ts";
import type { Dispatcher } from "../pubsub/dispatcher.ts";
import type { Envelope } from "../pubsub/envelope.ts";
import type { TopicEntry } from "../pubsub/registry.ts";
import type { Channel } from "./channel.ts";
import type { Publisher } from "./connection.ts";
import type { HeldBroadcasts } from "./held-broadcasts.ts";
import { Lane, type LaneClass } from "./lane.ts";
import { withOneMore } from "./short-array.ts";
import { SendQueue, type QueuedBroadcast } from "./send-queue.ts";

/** What is known of a broadcast while it is sent; an envelope knows it. */
interface Outgoing {
  readonly isBinary: boolean;
  /** True where it comes from another thread, in whose window it was held. */
  readonly isReceived: boolean;
  event(): string;
}

/** A broadcast whose names are decoded. */
interface Named {
  readonly topic: string;
  readonly event: string;
  readonly envelope: Envelope;
}

/** A broadcast that a lane's own serializer is to write. */
interface Decoded {
  readonly lane: Lane;
  readonly event: string;
  readonly payload: unknown;
  readonly isReceived: boolean;
}

const NO_FORM = "a binary broadcast has no form for a client of version 1";

/** What a fastlane is made of. */
export interface FastlaneParts {
  readonly publisher: Publisher;
  /** What holds broadcasts of this thread until a window ends; undefined: they leave at once. */
  readonly held?: HeldBroadcasts | undefined;
  /** Is told how many channels a binary broadcast skipped. */
  readonly onSkipped: (count: number) => void;
}

/** The lanes of all topics of a shard. */
export class Fastlane implements Dispatcher<Lane> {
  readonly #publisher: Publisher;
  readonly #held: HeldBroadcasts | undefined;
  readonly #onSkipped: (count: number) => void;
  readonly #classes = new Map<ReadonlyMap<string, unknown>, LaneClass[]>();
  #classCount = 0;

  constructor({ publisher, held, onSkipped }: FastlaneParts) {
    this.#publisher = publisher;
    this.#held = held;
    this.#onSkipped = onSkipped;
  }

  /** Puts a channel on the topic's lane of its class. The topic is counted by the caller. */
  join(entry: TopicEntry<Lane>, channel: Channel): void {
    const kind = this.#classOf(channel);
    let lane = entry.lanes.find((other) => other.kind === kind);
    if (!lane) {
      lane = new Lane(kind, entry.topic);
      entry.lanes = withOneMore(entry.lanes, lane);
    }
    // What is held was broadcast before it came.
    this.#letGo(lane);
    lane.add(channel);
    if (kind.isNative) channel.owner.connection.native?.subscribe(lane.nativeTopic);
  }

  /** Takes a channel off its lane. */
  leave(entry: TopicEntry<Lane>, channel: Channel): void {
    const { lane } = channel;
    if (!lane) return;
    this.#letGo(lane);
    lane.remove(channel);
    channel.queue?.end();
    if (lane.kind.isNative) channel.owner.connection.native?.unsubscribe(lane.nativeTopic);
    if (lane.size === 0) entry.lanes = entry.lanes.filter((other) => other !== lane);
  }

  dispatch(entry: TopicEntry<Lane>, envelope: Envelope, from: object | undefined): void {
    const sender = from as Channel | undefined;
    let event: string | undefined;
    let others: Lane[] | undefined;
    for (const lane of entry.lanes) {
      const { intercepts, serializer } = lane.kind;
      const isIntercepted = intercepts.size > 0 && intercepts.has((event ??= envelope.event()));
      if (isIntercepted || !hasForm(serializer, envelope)) others = [...(others ?? []), lane];
      else this.#deliver(lane, frameFor(serializer, envelope), envelope, sender);
    }
    // Last: user code that runs for these may broadcast, which uses the bytes anew.
    if (!others) return;
    event ??= envelope.event();
    this.#dispatchDecoded(others, { topic: entry.topic, event, envelope }, sender);
  }

  missed(entry: TopicEntry<Lane>): void {
    const channels = entry.lanes.flatMap((lane) => [...lane.channels]);
    for (const channel of channels) channel.missed();
  }

  #deliver(lane: Lane, frame: Uint8Array, outgoing: Outgoing, from: Channel | undefined): void {
    const { kind } = lane;
    const { isBinary } = outgoing;
    if (kind.isQueued) {
      this.#enqueue(lane, outgoing, frame, from);
    } else if (!kind.isNative) {
      // A copy: a connection that ends within `send` takes its channel off the lane.
      for (const channel of lane.channels.slice()) {
        if (channel !== from) channel.owner.connection.sendEncoded(frame, isBinary);
      }
    } else if (this.#held && !outgoing.isReceived && this.#held.takes()) {
      this.#held.hold(lane, frame, isBinary, from);
    } else {
      // What another thread sent does not overtake what was held here before, such as a presence's diff.
      this.#letGo(lane);
      lane.publish(this.#publisher, frame, isBinary, from);
    }
  }

  // To lanes that cannot have the bytes as they are: all is decoded before any user code runs.
  #dispatchDecoded(
    lanes: readonly Lane[],
    { topic, event, envelope }: Named,
    from: Channel | undefined,
  ): void {
    const letters: Letter[] = [];
    const foreign: Decoded[] = [];
    const skipped: Channel[] = [];
    const { isReceived } = envelope;
    for (const lane of lanes) {
      const { intercepts, serializer } = lane.kind;
      const channels = lane.channels.filter((channel) => channel !== from);
      if (intercepts.has(event)) {
        letters.push(...channels.map((channel) => ({ channel, payload: envelope.payload() })));
      } else if (serializer.broadcast) {
        foreign.push({ lane, event, payload: envelope.payload(), isReceived });
      } else {
        skipped.push(...channels);
      }
    }
    for (const decoded of foreign) this.#encode(topic, decoded, from);
    for (const { channel, payload } of letters) channel.runtime.receiveOut(channel, event, payload);
    if (skipped.length > 0) this.#skip(skipped);
  }

  // Writes a broadcast by a serializer of the user's, which may throw.
  #encode(
    topic: string,
    { lane, event, payload, isReceived }: Decoded,
    from: Channel | undefined,
  ): void {
    let frame: Frame | undefined;
    try {
      frame = lane.kind.serializer.broadcast?.(topic, event, payload);
    } catch (error) {
      const why = `the serializer could not write a broadcast: ${String(error)}`;
      const channels = lane.channels.filter((channel) => channel !== from);
      for (const channel of channels) channel.runtime.missed(channel, why);
    }
    if (frame === undefined) return;
    const isBinary = typeof frame !== "string";
    const bytes = typeof frame === "string" ? Buffer.from(frame) : frame;
    this.#deliver(lane, bytes, { isBinary, isReceived, event: () => event }, from);
  }

  #letGo(lane: Lane): void {
    if (lane.isHeld) this.#held?.flush();
  }

  #skip(channels: readonly Channel[]): void {
    this.#onSkipped(channels.length);
    for (const channel of channels) channel.runtime.missed(channel, NO_FORM);
  }

  // What waits must be a copy: the frame may lie in a ring. All queues share it.
  #enqueue(lane: Lane, outgoing: Outgoing, frame: Uint8Array, from: Channel | undefined): void {
    const { isBinary } = outgoing;
    let kept: QueuedBroadcast | undefined;
    for (const channel of lane.channels.slice()) {
      const { slow } = channel.definition;
      const { connection } = channel.owner;
      if (channel === from || !slow) continue;
      if (!channel.queue && connection.hasRoom) {
        connection.sendEncoded(frame, isBinary);
        continue;
      }
      kept ??= { event: outgoing.event(), frame: new Uint8Array(frame), isBinary };
      channel.queue ??= new SendQueue(channel, slow);
      channel.queue.put(kept);
    }
  }

  #classOf(channel: Channel): LaneClass {
    const { intercept, slow } = channel.definition;
    const { serializer, connection } = channel.owner;
    const isQueued = slow !== undefined;
    const { native } = connection;
    const isNative = native !== undefined && !isQueued;
    const isCompressed = native?.isCompressed ?? false;
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

interface Letter {
  readonly channel: Channel;
  readonly payload: unknown;
}

/** True where the bytes of a broadcast, or what is cut from them, are its form. */
function hasForm(serializer: Serializer, envelope: Envelope): boolean {
  return serializer.broadcast === undefined && !(envelope.isBinary && serializer === jsonV1);
}

function frameFor(serializer: Serializer, envelope: Envelope): Uint8Array {
  return serializer === jsonV1 ? v1Broadcast(envelope) : envelope.frame();
}
