/**
 * Subscribe and broadcast: to this thread, to the other threads, and to the other nodes.
 *
 * A broadcast is encoded once, as the bytes of a frame, and goes (1) into the rings of the members
 * that the index names, and of the link, (2) to the lanes of this thread, as bytes, (3) to its
 * listeners, decoded. In this order the encoder's buffer is no longer needed when user code runs,
 * which may broadcast itself.
 *
 * Runs on: main, shard; one for each.
 * Full: a broadcast larger than a pair of threads may queue is refused before any delivery.
 * Slow: if another thread's ring is full, a broadcast waits for room, for at most 1 ms in one turn
 *       of the event loop in all (`patience`); then it waits in a queue, and its caller continues.
 */

import { makeError } from "../errors.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { BroadcastEncoder, checkUsersTopic, topicName } from "../protocol/broadcast-encoder.ts";
import { telemetry } from "../telemetry.ts";
import { Deliveries } from "./deliveries.ts";
import type { Dispatcher } from "./dispatcher.ts";
import {
  Envelope,
  HEADER_BYTES,
  KEY_MARK_TEXT,
  KIND,
  writeHeader,
  type BroadcastHandler,
} from "./envelope.ts";
import { packJson, Trailer, TRAILER_BYTES } from "./history-records.ts";
import { readHistory, type HistoryPage, type HistoryRequest } from "./history-reader.ts";
import { KeptDelivery } from "./kept-delivery.ts";
import { isKeptEvent, type TopicHistory } from "./kept-topics.ts";
import type { KeptAt, Keeping } from "./keeping.ts";
import { kindAndFlags, kindOf, NO_MEMBER } from "./exchange-layout.ts";
import type { Exchange, ExchangeHandler, LappedNotice } from "./exchange.ts";
import { GAP_SLOT, unpackGap, type Gap } from "./gap.ts";
import { IdNotices, type NoticePace } from "./id-notices.ts";
import type { Member } from "./member.ts";
import { listenersOf, Registry, TopicEntry, type Listener } from "./registry.ts";
import type { SubscriptionIndex } from "./subscription-index.ts";
import { firstTopics, type TopicCount } from "./topic-counts.ts";

/**
 * Scope of a broadcast: every node, this node only, this thread only, all other threads of this
 * node, or all other nodes.
 */
export type Scope = "cluster" | "node" | "thread" | "otherThreads" | "otherNodes";

const BROADCAST_TYPE = kindAndFlags(KIND.broadcast, 0);
const DIRECT_TYPE = kindAndFlags(KIND.direct, 0);

/** PubSub for one thread: its member's subscriptions and broadcasts. */
export class PubSub<Lane = never> implements ExchangeHandler {
  readonly member: Member;
  readonly registry: Registry<Lane>;
  readonly #index: SubscriptionIndex;
  readonly #exchange: Exchange;
  readonly #dispatcher: Dispatcher<Lane> | undefined;
  readonly #encoder = new BroadcastEncoder(HEADER_BYTES);
  readonly #sent = new Envelope();
  readonly #received = new Envelope(true);
  readonly #deliveries: Deliveries;
  readonly #idNotices: IdNotices | undefined;
  readonly #trailer = new Trailer();
  #keeping: Keeping | undefined = undefined;
  #kept: KeptDelivery<Lane> | undefined = undefined;

  /**
   * @param dispatcher - delivers frames to this thread's lanes; undefined if it has only listeners
   * @param pace - how fast connections are closed whose disconnect may have been lost; undefined: at once
   */
  constructor(member: Member, dispatcher?: Dispatcher<Lane>, pace?: NoticePace) {
    this.member = member;
    this.#index = member.index;
    this.#exchange = member.exchange;
    this.#dispatcher = dispatcher;
    this.registry = new Registry(member.hashSeed);
    this.#deliveries = new Deliveries((error, topic) => this.#listenerFailed(error, topic));
    this.#idNotices =
      pace &&
      new IdNotices(pace, (topic, listener) => this.#tell(topic, () => listener.missed(topic)));
    member.index.add(GAP_SLOT);
  }

  /** The keepers; undefined if no topic is kept. */
  get keeping(): Keeping | undefined {
    return this.#keeping;
  }

  /** What keepers write to this thread; undefined if no topic is kept. */
  get kept(): KeptDelivery<Lane> | undefined {
    return this.#kept;
  }

  /** Sets which topics are kept. Called once, before clients connect. */
  keep(keeping: Keeping): void {
    this.#keeping = keeping;
    this.#kept = new KeptDelivery(this.member, keeping, {
      registry: this.registry,
      deliver: (...given) => this.#deliver(...given),
      tell: (entry) => this.#tellEntry(entry),
    });
  }

  /** Continues after main has ended what a listener had called (`shard/forced-end`). */
  recover(): void {
    this.#deliveries.recover();
  }

  /** Stops notifying the listeners of IDs that they may have missed a disconnect. */
  stopNotices(): void {
    this.#idNotices?.stop();
  }

  // -- subscribers -------------------------------------------------------------------------------

  /**
   * Adds a subscriber to the count. With the first one, broadcasts from all threads start to
   * arrive.
   */
  acquire(topic: string): TopicEntry<Lane> {
    const entry = this.registry.ensure(topic);
    if (entry.count === 0) {
      this.#index.add(this.#index.slotOf(entry.hash));
      this.#kept?.begin(entry);
    }
    entry.count += 1;
    return entry;
  }

  /** Subtracts a subscriber from the count. */
  release(entry: TopicEntry<Lane>): void {
    entry.count -= 1;
    if (entry.count > 0) return;
    this.#kept?.end(entry);
    this.registry.delete(entry);
    this.#index.remove(this.#index.slotOf(entry.hash));
  }

  /** Adds a listener. A listener that is added to a topic twice receives everything twice. */
  subscribe(topic: string, listener: Listener): void {
    const entry = this.acquire(topic);
    entry.listeners ??= new Map();
    entry.listeners.set(listener, (entry.listeners.get(listener) ?? 0) + 1);
    this.#kept?.learnHead(entry);
  }

  /**
   * Adds a handler for broadcasts, and a function that is called if broadcasts were lost.
   *
   * @returns a function that removes both
   */
  listen(topic: string, handler: BroadcastHandler, onGap: () => void): () => void {
    const listener: Listener = { receive: handler, missed: onGap };
    this.subscribe(topic, listener);
    return () => this.unsubscribe(topic, listener);
  }

  /** Removes a listener from a topic, however often it was added. */
  unsubscribe(topic: string, listener: Listener): void {
    const entry = this.registry.get(topic);
    if (!entry) return;
    const gone = entry.listeners?.get(listener) ?? 0;
    entry.listeners?.delete(listener);
    if (entry.listeners?.size === 0) entry.listeners = undefined;
    for (let count = 0; count < gone; count += 1) this.release(entry);
  }

  /** Returns the number of subscribers of both kinds to a topic on this thread. */
  count(topic: string): number {
    return this.registry.get(topic)?.count ?? 0;
  }

  /**
   * Returns the first topics of this thread by name. Visits all topics, so it must not be called
   * for each message.
   *
   * @param isShown - returns false for topics to exclude; without it all topics are shown
   */
  topicCounts(prefix: string, limit: number, isShown?: (topic: string) => boolean): TopicCount[] {
    return firstTopics(this.registry.entries(), prefix, limit, isShown);
  }

  // -- broadcasts --------------------------------------------------------------------------------

  /**
   * Broadcasts.
   *
   * @param topic - the topic's entry if the sender has it, otherwise its name
   * @param payload - an object, or bytes
   * @param from - the subscriber on this thread to exclude
   * @throws SIM_ERR_PAYLOAD, SIM_ERR_PAYLOAD_TOO_LARGE; nothing is sent in these cases
   */
  broadcast(
    topic: TopicEntry<Lane> | string,
    event: string,
    payload: unknown,
    scope: Scope,
    from?: object,
  ): void {
    const entry = topic instanceof TopicEntry ? topic : this.registry.get(topic);
    const hash = this.#encode(entry ?? topic, event, payload);
    if (this.#keeping && scope === "cluster") {
      const history = entry ? entry.kept?.history : this.#keeping.find(topic as string);
      if (history && isKeptEvent(history, event)) {
        this.#sendToKeeper(this.#keeping, hash, from);
        return;
      }
    }
    this.#send(entry, hash, scope, from);
  }

  /** Broadcasts like `broadcast`, but leaves the message out of the topic's history. */
  broadcastUnkept(
    topic: string,
    event: string,
    payload: unknown,
    scope: Scope,
    from?: object,
  ): void {
    const entry = this.registry.get(topic);
    const hash = this.#encode(entry ?? topic, event, payload);
    // Tells other nodes that it is not to be kept there either.
    if (this.#keeping?.find(topic)) this.#encoder.mark();
    this.#send(entry, hash, scope, from);
  }

  /** Encodes a broadcast and its header. @returns the hash of the topic */
  #encode(topic: TopicEntry<Lane> | string, event: string, payload: unknown): number {
    const isKnown = topic instanceof TopicEntry;
    this.#encoder.encode(isKnown ? topic : topicName(topic), event, payload);
    const hash = isKnown ? topic.hash : this.registry.hashOf(topic);
    writeHeader(hash, this.#encoder);
    return hash;
  }

  /** Sends the broadcast in the encoder. */
  #send(
    entry: TopicEntry<Lane> | undefined,
    hash: number,
    scope: Scope,
    from: object | undefined,
  ): void {
    const encoder = this.#encoder;
    if (!this.#publish(hash, scope)) throw tooLarge(encoder.length);
    this.member.counters.add(COUNTER.broadcasts);
    if (scope === "otherThreads" || scope === "otherNodes") {
      // Messages between threads are not held, since no client's frames could be batched.
      this.#exchange.pressNow();
      return;
    }
    // After its last subscriber has left, an entry has no receivers.
    if (entry && entry.count > 0) {
      this.#deliver(entry, this.#sent.read(encoder.bytes, 0, encoder.length), from);
    }
  }

  /**
   * Broadcasts to the subscribers of one node. Does nothing if the node is unknown.
   *
   * @throws SIM_ERR_PAYLOAD, SIM_ERR_PAYLOAD_TOO_LARGE; nothing is sent in these cases
   */
  directBroadcast(node: string, topic: string, event: string, payload: unknown): void {
    if (node === this.member.node) {
      this.broadcast(topic, event, payload, "node");
      return;
    }
    const encoder = this.#encoder;
    encoder.encode(topicName(topic), event, payload);
    const length = encoder.append(node);
    const hash = this.registry.hashOf(topic);
    writeHeader(hash, encoder);
    const { link } = this.member;
    if (link === NO_MEMBER) return;
    if (this.#exchange.isTooLarge(length)) throw tooLarge(length);
    // Refused while the link is being replaced. The new link sends the other nodes a gap.
    this.#exchange.send(link, this.#index.slotOf(hash), DIRECT_TYPE, encoder.bytes, length);
  }

  /**
   * Broadcasts, and resolves when the message is kept.
   *
   * @param key - a message with the same key is kept once within the `ttlMs` of the topic, on each node
   * @throws SIM_ERR_NO_HISTORY if the topic has no history, or the event is ephemeral; SIM_ERR_PAYLOAD,
   *   SIM_ERR_PAYLOAD_TOO_LARGE; SIM_ERR_NOT_KEPT if it was lost, or could not be kept
   */
  async publish(
    topic: string,
    event: string,
    payload: unknown,
    key: string | undefined,
  ): Promise<KeptAt> {
    const { keeping, history } = this.#keptOf(topic);
    if (!isKeptEvent(history, event)) throw notKept(event);
    const encoder = this.#encoder;
    const hash = this.#encode(topic, event, payload);
    this.#checkKept(keeping);
    const request = keeping.nextRequest();
    const frameEnd = encoder.length;
    const at = frameEnd + TRAILER_BYTES;
    const note = packJson({ request, ...(key !== undefined && { key }) });
    const record = encoder.reserve(TRAILER_BYTES + note.length);
    keeping.exclude(this.#trailer, undefined);
    this.#trailer.write(record, frameEnd);
    record.set(note, at);
    const kept = keeping.publish(hash, request, encoder.bytes, at + note.length);
    // Over what followed the frame, which has been sent. A node that knows the key does not keep it again.
    this.#sentToKeeper(hash, key === undefined ? frameEnd : encoder.append(KEY_MARK_TEXT + key));
    return kept;
  }

  /**
   * Reads the history of a topic.
   *
   * @throws SIM_ERR_NO_HISTORY if the topic has no history; SIM_ERR_PAYLOAD; and like `readHistory`
   */
  async history(topic: string, request?: HistoryRequest): Promise<HistoryPage> {
    const { keeping } = this.#keptOf(topic);
    return readHistory(keeping, topic, this.registry.hashOf(topic), request);
  }

  /**
   * Removes what is kept of a topic. Its offsets go on.
   *
   * @throws SIM_ERR_NO_HISTORY if the topic has no history; SIM_ERR_PAYLOAD; SIM_ERR_NOT_KEPT if its keeper does
   *   not answer in time
   */
  async clearHistory(topic: string): Promise<void> {
    const { keeping } = this.#keptOf(topic);
    await keeping.clear(topic, this.registry.hashOf(topic));
  }

  /** @throws SIM_ERR_NO_HISTORY if a topic has no history, SIM_ERR_PAYLOAD if it is none */
  #keptOf(topic: string): { readonly keeping: Keeping; readonly history: TopicHistory } {
    checkUsersTopic(topic);
    const keeping = this.#keeping;
    const history = keeping?.find(topic);
    if (!keeping || !history) throw noHistory(topic);
    return { keeping, history };
  }

  /** Sends the broadcast in the encoder to its keeper, and to the link. */
  #sendToKeeper(keeping: Keeping, hash: number, from: object | undefined): void {
    const encoder = this.#encoder;
    this.#checkKept(keeping);
    const frameEnd = encoder.length;
    keeping.exclude(this.#trailer, from);
    this.#trailer.write(encoder.reserve(TRAILER_BYTES), frameEnd);
    keeping.keep(hash, encoder.bytes, frameEnd + TRAILER_BYTES);
    this.#sentToKeeper(hash, frameEnd);
  }

  /** Sends the broadcast in the encoder, without its trailer, to the other nodes too, and counts it. */
  #sentToKeeper(hash: number, length: number): void {
    const { link, counters } = this.member;
    if (link !== NO_MEMBER) {
      this.#exchange.send(
        link,
        this.#index.slotOf(hash),
        BROADCAST_TYPE,
        this.#encoder.bytes,
        length,
      );
    }
    counters.add(COUNTER.broadcasts);
  }

  #checkKept(keeping: Keeping): void {
    const { length } = this.#encoder;
    if (keeping.isTooLarge(length)) throw tooLarge(length);
  }

  /**
   * Writes the records of a broadcast. @returns false if it is too large, in which case nothing is
   * sent
   */
  #publish(hash: number, scope: Scope): boolean {
    const { bytes, length } = this.#encoder;
    const { link } = this.member;
    const slot = this.#index.slotOf(hash);
    if (scope === "cluster") {
      return this.#exchange.publish(slot, BROADCAST_TYPE, bytes, length, link);
    }
    if (scope === "thread") return true;
    if (scope !== "otherNodes") {
      return this.#exchange.publish(slot, BROADCAST_TYPE, bytes, length, NO_MEMBER);
    }
    if (link === NO_MEMBER) return true;
    if (this.#exchange.isTooLarge(length)) return false;
    // Refused while the link is being replaced. The new link sends the other nodes a gap.
    this.#exchange.send(link, slot, BROADCAST_TYPE, bytes, length);
    return true;
  }

  // -- what other members wrote --------------------------------------------------------------------

  /** Delivers a record. */
  onRecord(from: number, type: number, bytes: Uint8Array, offset: number, length: number): void {
    if (kindOf(type) >= KIND.keep) {
      this.#kept?.onRecord(from, kindOf(type), bytes, offset, length);
      return;
    }
    if (kindOf(type) === KIND.gap) {
      const { isConcerned, ids } = unpackGap(bytes, offset, length);
      const topics = this.#tellMissed(({ topic }) => isConcerned(topic), ids);
      if (telemetry.gap.hasSubscribers) telemetry.gap.publish({ topics });
      return;
    }
    const envelope = this.#received.read(bytes, offset, length);
    const entry = this.registry.find(envelope);
    if (entry) this.#deliver(entry, envelope, undefined);
    else this.member.counters.add(COUNTER.recordsWithoutSubscriber);
  }

  /** Notifies all subscribers to topics in these index slots that broadcasts were lost. */
  onLapped(from: number, slots: LappedNotice): void {
    const count = slots === "all" ? slots : slots.length;
    const isKept = this.#keeping?.isKeeper(from) === true;
    this.member.logger.log(isKept ? "keptLapped" : "lapped", { from, slots: count });
    if (telemetry.lapped.hasSubscribers) telemetry.lapped.publish({ from, slots: count });
    const lost = slots === "all" ? undefined : new Set(slots);
    // A gap may have been lost, and it is unknown which topics it affected.
    const isAll = lost === undefined || lost.has(GAP_SLOT);
    if (isKept) {
      this.#kept?.onLapped(from, (slot) => isAll || lost.has(slot));
      return;
    }
    const ids = isAll ? "all" : "asTopics";
    this.#tellMissed(({ hash }) => isAll || lost.has(this.#index.slotOf(hash)), ids);
  }

  /** Logs a record that could not be delivered. */
  onError(error: unknown, from: number): void {
    this.member.logger.log("recordFailed", { from, err: error });
  }

  // -- losses ------------------------------------------------------------------------------------

  /** Notifies the subscribers to topics that broadcasts were lost. @returns the number of topics */
  #tellMissed(isConcerned: (entry: TopicEntry<Lane>) => boolean, ids: Gap["ids"]): number {
    // Notifying may end channels, which changes the registry, so the topics are collected first.
    const concerned = this.registry.all().filter(isConcerned);
    const areIdsTold = ids === "asTopics" || (ids === "all" && !this.#idNotices);
    for (const entry of concerned) this.#tellEntry(entry, areIdsTold);
    if (ids === "all") this.#idNotices?.addAll(this.registry.all());
    return concerned.length;
  }

  /** @param areIdsTold - whether listeners for a disconnect are told too */
  #tellEntry(entry: TopicEntry<Lane>, areIdsTold = false): void {
    const { topic } = entry;
    this.#tell(topic, () => this.#dispatcher?.missed(entry));
    for (const listener of listenersOf(entry)) {
      if (listener.isOfId === true && !areIdsTold) continue;
      this.#tell(topic, () => listener.missed(topic));
    }
  }

  // If one of them throws, the others must still be notified.
  #tell(topic: string, tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#listenerFailed(error, topic);
    }
  }

  #deliver(entry: TopicEntry<Lane>, envelope: Envelope, from: object | undefined): void {
    if (entry.listeners === undefined) {
      this.#dispatcher?.dispatch(entry, envelope, from);
      return;
    }
    // Decoded before anything is delivered: user code of a lane may reuse the encoder's buffer.
    const listeners = listenersOf(entry);
    const payloads = listeners.map(() => envelope.payload());
    const { topic } = entry;
    const { payloadLength: bytes, position } = envelope;
    const event = envelope.event();
    this.#deliveries.add({ topic, event, listeners, payloads, bytes, from, position });
    this.#dispatcher?.dispatch(entry, envelope, from);
    this.#deliveries.run();
  }

  #listenerFailed(error: unknown, topic: string): void {
    this.member.logger.log("recordFailed", { topic, err: error });
  }
}

function noHistory(topic: string): Error {
  const message = `topic must have a history, got ${JSON.stringify(topic)}`;
  return makeError("SIM_ERR_NO_HISTORY", message);
}

function notKept(event: string): Error {
  const message = `event must be one that is kept, got ${JSON.stringify(event)}`;
  return makeError("SIM_ERR_NO_HISTORY", message);
}

function tooLarge(length: number): Error {
  return makeError(
    "SIM_ERR_PAYLOAD_TOO_LARGE",
    `a broadcast must fit into overflowBytes, got ${length - HEADER_BYTES} (bytes)`,
  );
}
