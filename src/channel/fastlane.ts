/**
 * Delivers broadcasts straight to the connections, bypassing the channels.
 *
 * A plain lane receives the bytes in one native publish. Broadcasts from this thread to plain lanes
 * may be held until the end of a window (`held-broadcasts`).
 *
 * A lane that intercepts the event passes it to its channels, decoded separately for each, so that
 * no channel can change what another receives. Channels that may miss broadcasts are never
 * subscribed natively, because the engine cannot retract queued frames: each is sent the bytes if
 * its connection has room; otherwise the bytes wait in the channel's queue. Version 1 cannot
 * represent a binary broadcast, so channels on that version end, and their clients rejoin. A custom
 * serializer receives the decoded broadcast, and encodes it once for its lane.
 *
 * Runs on: shard.
 * Full: a large broadcast is sent to as many clients as the shard has room for (`broadcast-room`). All other channels
 *       of the topic end with phx_error.
 */

import { jsonV1, v1Broadcast } from "../protocol/json-v1.ts";
import type { Frame, Serializer } from "../protocol/serializer.ts";
import type { Dispatcher } from "../pubsub/dispatcher.ts";
import type { Envelope } from "../pubsub/envelope.ts";
import type { TopicEntry } from "../pubsub/registry.ts";
import type { Counters } from "../memory/counters.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { isLarge, type BroadcastRoom } from "./broadcast-room.ts";
import type { Publisher } from "./connection.ts";
import type { HeldBroadcasts } from "./held-broadcasts.ts";
import { Lane, type LaneClass, type Subscriber } from "./lane.ts";
import { QueuedBroadcasts, type QueuedBroadcast } from "./queued-broadcasts.ts";
import { SendQueue } from "./send-queue.ts";
import { errorText } from "../error-report.ts";

/** A broadcast that is being sent. Implemented by Envelope. */
interface Outgoing {
  readonly isBinary: boolean;
  /**
   * True if the broadcast comes from another thread, which has already held it in its own window.
   */
  readonly isReceived: boolean;
  event(): string;
}

/** A broadcast with its topic and event decoded. */
interface Named {
  readonly topic: string;
  readonly event: string;
  readonly envelope: Envelope;
}

/** A broadcast for a lane with a custom serializer. */
interface Decoded {
  readonly lane: Lane;
  readonly event: string;
  readonly payload: unknown;
  readonly isReceived: boolean;
}

const NO_FORM = "a binary broadcast cannot be encoded for a client on version 1";

/** The lanes of all topics of a shard. */
export class Fastlane implements Dispatcher<Lane> {
  /** Broadcasts that wait in the queues of slow channels. */
  readonly queued: QueuedBroadcasts;
  readonly #publisher: Publisher;
  readonly #held: HeldBroadcasts | undefined;
  readonly #counters: Counters;
  readonly #room: BroadcastRoom;
  /** Sockets whose clients were notified of a broadcast that cannot be encoded for them. */
  readonly #told = new WeakSet<object>();
  /** Channels for which there was no room for the broadcast that is being sent. */
  #unsent: Subscriber[] = [];
  readonly #classes = new Map<ReadonlyMap<string, unknown>, LaneClass[]>();
  #classCount = 0;

  /**
   * @param held - holds broadcasts from this thread until a window ends; undefined: none are held
   * @param maxQueueBytes - limit for the queue of a slow channel
   */
  constructor(
    publisher: Publisher,
    held: HeldBroadcasts | undefined,
    room: BroadcastRoom,
    counters: Counters,
    maxQueueBytes: number,
  ) {
    this.queued = new QueuedBroadcasts(maxQueueBytes);
    this.#room = room;
    this.#publisher = publisher;
    this.#held = held;
    this.#counters = counters;
  }

  /** Adds a channel to the lane of its class on the topic. The caller counts the subscription. */
  join(entry: TopicEntry<Lane>, channel: Subscriber): void {
    const kind = this.#classOf(channel);
    let lane = entry.lanes.find((other) => other.kind === kind);
    if (!lane) {
      lane = new Lane(kind, entry.topic);
      // `concat` allocates exactly what it needs; a spread allocates more.
      entry.lanes = entry.lanes.length === 0 ? [lane] : entry.lanes.concat(lane);
    }
    // Held broadcasts are older than this subscription, so they are published first.
    this.#letGo(lane);
    lane.add(channel);
    if (kind.isNative) channel.owner.connection.native?.subscribe(lane.nativeTopic);
  }

  /** Removes a channel from its lane. */
  leave(entry: TopicEntry<Lane>, channel: Subscriber): void {
    const { lane } = channel;
    if (!lane) return;
    this.#letGo(lane);
    lane.remove(channel);
    channel.queue?.end();
    if (lane.kind.isNative) channel.owner.connection.native?.unsubscribe(lane.nativeTopic);
    if (lane.size === 0) entry.lanes = entry.lanes.filter((other) => other !== lane);
  }

  dispatch(entry: TopicEntry<Lane>, envelope: Envelope, from: object | undefined): void {
    const sender = from as Subscriber | undefined;
    let event: string | undefined;
    let others: Lane[] | undefined;
    for (const lane of entry.lanes) {
      const { intercepts, serializer } = lane.kind;
      const isIntercepted = intercepts.size > 0 && intercepts.has((event ??= envelope.event()));
      if (isIntercepted || !hasForm(serializer, envelope)) others = [...(others ?? []), lane];
      else this.#deliver(lane, frameFor(serializer, envelope), envelope, sender);
    }
    // These come last because they run user code, which may broadcast and thus overwrite the bytes.
    if (others) {
      event ??= envelope.event();
      this.#dispatchDecoded(others, { topic: entry.topic, event, envelope }, sender);
    }
    if (this.#unsent.length > 0) this.#endUnsent();
  }

  missed(entry: TopicEntry<Lane>): void {
    const subscribers = entry.lanes.flatMap((lane) => [...lane.subscribers]);
    for (const subscriber of subscribers) subscriber.missed();
  }

  #deliver(lane: Lane, frame: Uint8Array, outgoing: Outgoing, from: Subscriber | undefined): void {
    const { kind } = lane;
    const { isBinary } = outgoing;
    if (kind.isNative) this.#publisher.charge(lane.size, frame.length);
    if (kind.isQueued) {
      this.#enqueue(lane, outgoing, frame, from);
    } else if (isLarge(frame.length, lane.size)) {
      this.#deliverLarge(lane, frame, isBinary, from);
    } else if (kind.isNative) {
      this.#publish(lane, frame, outgoing, from);
    } else {
      // Copied, because a connection that ends during the call removes its channel from the lane.
      for (const channel of lane.subscribers.slice()) {
        if (channel !== from) channel.owner.connection.sendEncoded(frame, isBinary);
      }
    }
  }

  #publish(
    lane: Lane,
    frame: Uint8Array,
    { isBinary, isReceived }: Outgoing,
    from: Subscriber | undefined,
  ): void {
    if (this.#held && !isReceived && this.#held.takes()) {
      this.#held.hold(lane, frame, isBinary, from);
      return;
    }
    // A broadcast from another thread must not overtake one that is held here, such as a presence diff.
    this.#letGo(lane);
    lane.publish(this.#publisher, frame, isBinary, from);
  }

  // Sends a frame to one client after the other, as long as what they do not read at once fits.
  #deliverLarge(
    lane: Lane,
    frame: Uint8Array,
    isBinary: boolean,
    from: Subscriber | undefined,
  ): void {
    this.#letGo(lane);
    for (const channel of lane.subscribers.slice()) {
      if (channel === from) continue;
      const { connection } = channel.owner;
      const before = connection.heldBytes;
      if (!this.#room.hasRoomFor(before)) {
        this.#unsent.push(channel);
        continue;
      }
      connection.sendEncoded(frame, isBinary);
      this.#room.left(Math.max(connection.heldBytes - before, 0));
    }
  }

  #endUnsent(): void {
    const unsent = this.#unsent;
    this.#unsent = [];
    this.#counters.add(COUNTER.broadcastsUnsent, unsent.length);
    for (const channel of unsent) channel.missed();
  }

  // Handles lanes that cannot use the bytes directly. Everything is decoded before user code runs.
  #dispatchDecoded(
    lanes: readonly Lane[],
    { topic, event, envelope }: Named,
    from: Subscriber | undefined,
  ): void {
    const intercepted: Intercepted[] = [];
    const foreign: Decoded[] = [];
    const skipped: Subscriber[] = [];
    // Read first, because user code may reuse the encoder's buffer.
    const { isReceived, payloadLength } = envelope;
    for (const lane of lanes) {
      const { intercepts, serializer } = lane.kind;
      const channels = lane.subscribers.filter((channel) => channel !== from);
      if (intercepts.has(event)) {
        intercepted.push(...channels.map((channel) => ({ channel, payload: envelope.payload() })));
      } else if (serializer.broadcast) {
        foreign.push({ lane, event, payload: envelope.payload(), isReceived });
      } else {
        skipped.push(...channels);
      }
    }
    for (const decoded of foreign) this.#encode(topic, decoded, from);
    for (const { channel, payload } of intercepted) {
      channel.receiveOut(event, payload, payloadLength);
    }
    if (skipped.length > 0) {
      this.#counters.add(COUNTER.skippedOnV1, skipped.length);
      this.#skip(skipped, NO_FORM);
    }
  }

  // Encodes a broadcast with a custom serializer, which may throw.
  #encode(
    topic: string,
    { lane, event, payload, isReceived }: Decoded,
    from: Subscriber | undefined,
  ): void {
    let frame: Frame | undefined;
    try {
      frame = lane.kind.serializer.broadcast?.(topic, event, payload);
    } catch (error) {
      const why = `the serializer could not write a broadcast: ${errorText(error)}`;
      const channels = lane.subscribers.filter((channel) => channel !== from);
      this.#skip(channels, why);
    }
    if (frame === undefined) return;
    const isBinary = typeof frame !== "string";
    const bytes = typeof frame === "string" ? Buffer.from(frame) : frame;
    this.#deliver(lane, bytes, { isBinary, isReceived, event: () => event }, from);
  }

  #letGo(lane: Lane): void {
    if (lane.isHeld) this.#held?.flush();
  }

  // A client is notified once, by the end of a channel. If every such broadcast ended its channels, any client that may
  // broadcast could keep it from staying joined.
  #skip(channels: readonly Subscriber[], why: string): void {
    for (const channel of channels) {
      if (this.#told.has(channel.owner)) continue;
      this.#told.add(channel.owner);
      channel.noForm(why);
    }
  }

  // All queues share one copy, which is needed because the frame itself may be in a ring.
  #enqueue(lane: Lane, outgoing: Outgoing, frame: Uint8Array, from: Subscriber | undefined): void {
    const { isBinary } = outgoing;
    let kept: QueuedBroadcast | undefined;
    for (const channel of lane.subscribers.slice()) {
      const { slow } = channel.definition;
      const { connection } = channel.owner;
      if (channel === from || !slow) continue;
      if (!channel.queue && connection.hasRoom) {
        connection.sendEncoded(frame, isBinary);
        continue;
      }
      kept ??= { event: outgoing.event(), frame: new Uint8Array(frame), isBinary, queues: 0 };
      channel.queue ??= new SendQueue(channel, slow, this.#counters, this.queued);
      channel.queue.put(kept);
    }
  }

  #classOf(channel: Subscriber): LaneClass {
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

interface Intercepted {
  readonly channel: Subscriber;
  readonly payload: unknown;
}

/**
 * Reports whether clients of a serializer can be sent the bytes of a broadcast, or a part of them.
 */
function hasForm(serializer: Serializer, envelope: Envelope): boolean {
  return serializer.broadcast === undefined && !(envelope.isBinary && serializer === jsonV1);
}

function frameFor(serializer: Serializer, envelope: Envelope): Uint8Array {
  return serializer === jsonV1 ? v1Broadcast(envelope) : envelope.frame();
}
