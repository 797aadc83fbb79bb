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
import { keptFrames, markOf, type KeptFrames } from "./kept-frames.ts";
import { Lane, TRACKS, type LaneClass, type Subscriber } from "./lane.ts";
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
    let isAsked = false;
    for (const lane of entry.lanes) {
      const { intercepts, serializer, tracks } = lane.kind;
      if (tracks !== TRACKS.nothing && envelope.position > 0) {
        isAsked = true;
        continue;
      }
      const isIntercepted = intercepts.size > 0 && intercepts.has((event ??= envelope.event()));
      if (isIntercepted || !hasForm(serializer, envelope)) others = [...(others ?? []), lane];
      else this.#deliver(lane, frameFor(serializer, envelope), envelope, sender);
    }
    // These come last because they run user code, which may broadcast and thus overwrite the bytes. Kept broadcasts
    // come from a keeper, so their bytes are not those of the encoder.
    if (isAsked) this.#dispatchKept(entry, envelope, sender);
    if (others) this.#dispatchDecoded(others, entry.topic, envelope, sender);
    this.#endUnsent();
  }

  missed(entry: TopicEntry<Lane>): void {
    const subscribers = entry.lanes.flatMap((lane) => [...lane.subscribers]);
    for (const subscriber of subscribers) subscriber.missed();
  }

  // -- kept broadcasts ---------------------------------------------------------------------------

  /** Reports whether a kept broadcast can be encoded for a channel, or is handled by it. */
  hasForm(channel: Subscriber, entry: TopicEntry<Lane>, envelope: Envelope): boolean {
    const { intercept } = channel.definition;
    const { serializer } = channel.owner;
    if (intercept.size > 0 && intercept.has(envelope.event())) return true;
    if (!serializer.broadcast) return hasForm(serializer, envelope);
    try {
      return keptFrames(serializer, entry, envelope) !== undefined;
    } catch {
      return false;
    }
  }

  /**
   * Sends a kept broadcast to a channel that asked for a history, or lets it handle it.
   *
   * @param isExcluded - true if the channel gets only the offset
   * @returns false if it has no form for the client; then nothing is sent
   */
  sendKept(
    channel: Subscriber,
    entry: TopicEntry<Lane>,
    envelope: Envelope,
    isExcluded: boolean,
  ): boolean {
    const { intercept } = channel.definition;
    const { position } = envelope;
    if (isExcluded) {
      this.sendMark(channel, entry, position);
      return true;
    }
    if (intercept.size > 0) {
      const event = envelope.event();
      if (intercept.has(event)) {
        channel.history?.receive(event, envelope.payload(), envelope.payloadLength, position);
        return true;
      }
    }
    try {
      const frames = keptFrames(channel.owner.serializer, entry, envelope);
      if (!frames) return false;
      sendFrames(channel, frames);
      return true;
    } catch {
      return false;
    }
  }

  /** Sends an offset in place of a message that a channel does not get. */
  sendMark(channel: Subscriber, entry: TopicEntry<Lane>, position: number): void {
    try {
      const mark = markOf(channel.owner.serializer, entry.json, position);
      const bytes = typeof mark === "string" ? Buffer.from(mark) : mark;
      sendFrames(channel, { bytes, isBinary: typeof mark !== "string", mark: undefined });
    } catch {
      // The client keeps an older position, and gets later messages again if it rejoins.
    }
  }

  // Channels that are being brought level get kept broadcasts from their replay.
  #dispatchKept(entry: TopicEntry<Lane>, envelope: Envelope, from: Subscriber | undefined): void {
    for (const lane of entry.lanes) {
      if (lane.kind.tracks !== TRACKS.live) continue;
      if (lane.kind.isNative) this.#publishKept(entry, lane, envelope, from);
      else this.#sendKeptToEach(entry, lane, envelope, from);
    }
  }

  #sendKeptToEach(
    entry: TopicEntry<Lane>,
    lane: Lane,
    envelope: Envelope,
    from: Subscriber | undefined,
  ): void {
    for (const channel of lane.subscribers.slice()) {
      if (channel.lane !== lane) continue;
      if (this.sendKept(channel, entry, envelope, channel === from)) continue;
      this.#skipKept(channel, entry, envelope.position, NO_FORM);
    }
  }

  #publishKept(
    entry: TopicEntry<Lane>,
    lane: Lane,
    envelope: Envelope,
    from: Subscriber | undefined,
  ): void {
    const { position } = envelope;
    let frames: KeptFrames | undefined;
    let why = NO_FORM;
    try {
      frames = keptFrames(lane.kind.serializer, entry, envelope);
    } catch (error) {
      why = notWritten(error);
    }
    if (frames) {
      const { bytes, isBinary, mark } = frames;
      this.#deliver(lane, bytes, { isBinary, isReceived: true, event: NO_EVENT }, from);
      if (mark) {
        // Channels that did not get the message must not get its offset: they would never ask for it again.
        this.#endUnsent();
        this.#deliver(lane, mark, MARK, from);
      }
      if (from?.lane === lane) this.sendMark(from, entry, position);
      return;
    }
    for (const channel of lane.subscribers.slice()) {
      if (channel.lane !== lane) continue;
      if (channel === from) this.sendMark(channel, entry, position);
      else this.#skipKept(channel, entry, position, why);
    }
  }

  // The channel ends without this offset, so that a rejoin is told that something is missing. Later ones get only the
  // offset: as with other broadcasts, a client is told once.
  #skipKept(channel: Subscriber, entry: TopicEntry<Lane>, position: number, why: string): void {
    this.#counters.add(COUNTER.skippedOnV1);
    if (this.#told.has(channel.owner)) this.sendMark(channel, entry, position);
    else this.#skip([channel], why);
  }

  // -- delivery ----------------------------------------------------------------------------------

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
    if (unsent.length === 0) return;
    this.#unsent = [];
    this.#counters.add(COUNTER.broadcastsUnsent, unsent.length);
    for (const channel of unsent) channel.missed();
  }

  // Handles lanes that cannot use the bytes directly. Everything is decoded before user code runs.
  #dispatchDecoded(
    lanes: readonly Lane[],
    topic: string,
    envelope: Envelope,
    from: Subscriber | undefined,
  ): void {
    const event = envelope.event();
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
      const why = notWritten(error);
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
    const tracks = channel.history?.tracks ?? TRACKS.nothing;
    // A channel that gets kept broadcasts one by one, and so must not be published to.
    const isSingle = tracks === TRACKS.replaying || (tracks === TRACKS.live && intercept.size > 0);
    const isNative = native !== undefined && !isQueued && !isSingle;
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
        one.tracks === tracks &&
        one.isCompressed === isCompressed,
    );
    if (!kind) {
      const prefix = `${this.#classCount}:`;
      kind = { serializer, isNative, isQueued, isCompressed, tracks, intercepts: key, prefix };
      this.#classCount += 1;
      classes.push(kind);
    }
    return kind;
  }
}

const NOTHING: ReadonlyMap<string, unknown> = new Map();

const NO_EVENT = (): string => "";
const MARK: Outgoing = { isBinary: false, isReceived: true, event: NO_EVENT };

/** Sends frames now, or after the kept messages that are being handled. */
function sendFrames(channel: Subscriber, frames: KeptFrames): void {
  if (channel.history?.isPending === true) {
    channel.history.sendLater(frames);
    return;
  }
  const { connection } = channel.owner;
  connection.sendEncoded(frames.bytes, frames.isBinary);
  if (frames.mark) connection.sendEncoded(frames.mark, false);
}

function notWritten(error: unknown): string {
  return `the serializer could not write a broadcast: ${errorText(error)}`;
}

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
