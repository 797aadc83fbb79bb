/**
 * Subscribe and broadcast: to this thread, to the other threads, and to the other nodes.
 *
 * A broadcast goes (1) into the rings of the threads that the index names, and of the link,
 * (2) to the lanes of this thread, as bytes, (3) to its listeners, decoded. In this order nothing
 * of the sender's buffer is needed once user code runs, which may broadcast itself.
 *
 * Runs on: main, shard, link; one for each.
 * Full: a broadcast larger than a pair of threads may queue is refused before any delivery.
 * Slow: where another thread's ring is full, a broadcast stands still for it, at most 1 ms in one
 *       turn of the event loop in all (`patience`); then it waits in a queue, and its caller goes on.
 */

import { makeError } from "../errors.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { telemetry } from "../telemetry.ts";
import {
  Envelope,
  HEADER_BYTES,
  KIND,
  writeHeader,
  type BroadcastHandler,
  type FrameParts,
} from "./envelope.ts";
import { kindAndFlags, kindOf } from "./exchange-layout.ts";
import type { Exchange, LappedNotice } from "./exchange.ts";
import { GAP_SLOT, unpackGap } from "./gap.ts";
import { listenersOf, Registry, type Listener, type TopicEntry } from "./registry.ts";
import { Tellings } from "./telling.ts";
import type { SubscriptionIndex } from "./subscription-index.ts";
import { firstTopics, type TopicCount } from "./topic-counts.ts";

/**
 * How far a broadcast goes: to every node, to this one only, to this thread only; or to all others,
 * of this node's threads or of the nodes.
 */
export type Scope = "cluster" | "node" | "thread" | "otherThreads" | "otherNodes";

/** What a PubSub is made of. */
export interface PubSubParts<Lane> {
  readonly index: SubscriptionIndex;
  readonly exchange: Exchange;
  readonly counters: Counters;
  readonly dispatcher: Dispatcher<Lane> | undefined;
  /** Member that links to other nodes, or -1. */
  readonly link: number;
  readonly hashSeed: number;
  /** Is told what a listener threw. */
  readonly onListenerError: (error: unknown, topic: string) => void;
}

const NO_MEMBER = -1;

/** PubSub of one thread. */
export class PubSub<Lane = never> {
  readonly registry: Registry<Lane>;
  readonly #parts: PubSubParts<Lane>;
  readonly #sent = new Envelope();
  readonly #received = new Envelope(true);
  readonly #tellings: Tellings;

  constructor(parts: PubSubParts<Lane>) {
    this.#parts = parts;
    this.registry = new Registry(parts.hashSeed);
    this.#tellings = new Tellings(parts.onListenerError);
    parts.index.add(GAP_SLOT);
  }

  /** Counts one subscriber in. From the first on, broadcasts of all threads come here. */
  acquire(topic: string): TopicEntry<Lane> {
    const entry = this.registry.ensure(topic);
    if (entry.count === 0) this.#parts.index.add(this.#parts.index.slotOf(entry.hash));
    entry.count += 1;
    return entry;
  }

  /** Counts one subscriber out. */
  release(entry: TopicEntry<Lane>): void {
    entry.count -= 1;
    if (entry.count > 0) return;
    this.registry.delete(entry);
    this.#parts.index.remove(this.#parts.index.slotOf(entry.hash));
  }

  /** Adds a listener. Twice on one topic, it gets everything twice (WIRE §6.1). */
  subscribe(topic: string, listener: Listener): void {
    const entry = this.acquire(topic);
    entry.listeners ??= new Map();
    entry.listeners.set(listener, (entry.listeners.get(listener) ?? 0) + 1);
  }

  /** Adds a handler, and what is called where broadcasts were lost; gives what removes both. */
  listen(topic: string, handler: BroadcastHandler, onGap: () => void): () => void {
    const listener: Listener = { receive: handler, missed: onGap };
    this.subscribe(topic, listener);
    return () => this.unsubscribe(topic, listener);
  }

  /** Removes a listener from a topic, however often it is there. */
  unsubscribe(topic: string, listener: Listener): void {
    const entry = this.registry.get(topic);
    if (!entry) return;
    const gone = entry.listeners?.get(listener) ?? 0;
    entry.listeners?.delete(listener);
    if (entry.listeners?.size === 0) entry.listeners = undefined;
    for (let count = 0; count < gone; count += 1) this.release(entry);
  }

  /** Gives the subscribers that a topic has on this thread, of both kinds. */
  count(topic: string): number {
    return this.registry.get(topic)?.count ?? 0;
  }

  /**
   * Gives the first topics of this thread by name. Goes through all: not for a message's path.
   *
   * @param isShown - false for a topic that is left out; without it none is
   */
  topicCounts(prefix: string, limit: number, isShown?: (topic: string) => boolean): TopicCount[] {
    return firstTopics(this.registry.entries(), prefix, limit, isShown);
  }

  /**
   * Broadcasts a frame.
   *
   * @param topic - the topic's entry where the sender has it, else its name
   * @param parts - the frame, with room for a header before it; used only during the call
   * @param from - who is left out: a subscriber of this thread
   * @throws SIM_ERR_PAYLOAD_TOO_LARGE, and then nobody gets it
   */
  broadcast(
    topic: TopicEntry<Lane> | string,
    parts: FrameParts,
    scope: Scope,
    from?: object,
  ): void {
    const entry = typeof topic === "string" ? this.registry.get(topic) : topic;
    const hash = entry ? entry.hash : this.registry.hashOf(topic as string);
    writeHeader(hash, parts);
    if (!this.#publish(hash, parts, scope)) throw tooLarge(parts.length);
    this.#parts.counters.add(COUNTER.broadcasts);
    if (scope === "otherThreads" || scope === "otherNodes") {
      // What threads tell each other has no client that could be sent more at a time.
      this.#parts.exchange.pressNow();
      return;
    }
    // An entry whose last subscriber left is no longer registered, and has nobody to deliver to.
    if (entry && entry.count > 0) {
      this.#deliver(entry, this.#sent.read(parts.bytes, 0, parts.length), from);
    }
  }

  /** Writes the records of a broadcast. @returns false where it is too large: nobody gets it */
  #publish(hash: number, { bytes, length }: FrameParts, scope: Scope): boolean {
    const { index, exchange, link } = this.#parts;
    const slot = index.slotOf(hash);
    const type = kindAndFlags(KIND.broadcast, 0);
    if (scope === "cluster") return exchange.publish(slot, type, bytes, length, link);
    if (scope === "thread") return true;
    if (scope !== "otherNodes") return exchange.publish(slot, type, bytes, length, NO_MEMBER);
    if (link === NO_MEMBER) return true;
    if (exchange.isTooLarge(length)) return false;
    // Not taken while the link is replaced: the next one tells the other nodes of a gap.
    exchange.send(link, slot, type, bytes, length);
    return true;
  }

  /**
   * Broadcasts to the subscribers of one other node only. Nothing happens where it is unknown.
   *
   * @param parts - the frame and, after it, the node's name
   */
  directBroadcast(topic: string, parts: FrameParts, recordLength: number): void {
    const hash = this.registry.hashOf(topic);
    writeHeader(hash, parts);
    const { index, exchange, link } = this.#parts;
    if (link === NO_MEMBER) return;
    if (exchange.isTooLarge(recordLength)) throw tooLarge(recordLength);
    // Not taken while the link is replaced: the next one tells the other nodes of a gap.
    exchange.send(
      link,
      index.slotOf(hash),
      kindAndFlags(KIND.direct, 0),
      parts.bytes,
      recordLength,
    );
  }

  /** Delivers a record that another thread wrote. */
  deliverRecord(type: number, bytes: Uint8Array, offset: number, length: number): void {
    if (kindOf(type) === KIND.gap) {
      const isConcerned = unpackGap(bytes, offset, length);
      const topics = this.#tellMissed(({ topic }) => isConcerned(topic));
      if (telemetry.gap.hasSubscribers) telemetry.gap.publish({ topics });
      return;
    }
    const envelope = this.#received.read(bytes, offset, length);
    const entry = this.registry.find(envelope);
    if (entry) this.#deliver(entry, envelope, undefined);
    else this.#parts.counters.add(COUNTER.recordsWithoutSubscriber);
  }

  /** Tells all subscribers of the topics in these index slots that they missed something. */
  lapped(slots: LappedNotice): void {
    const { index } = this.#parts;
    const lost = slots === "all" ? undefined : new Set(slots);
    // What was lost may have been a gap, and then nobody knows of which topics.
    const isAll = lost === undefined || lost.has(GAP_SLOT);
    this.#tellMissed(({ hash }) => isAll || lost.has(index.slotOf(hash)));
  }

  /** Tells the subscribers of topics that they missed something. @returns of how many topics */
  #tellMissed(isConcerned: (entry: TopicEntry<Lane>) => boolean): number {
    // Telling may end channels, which changes the registry: first find, then tell.
    const concerned = this.registry.all().filter(isConcerned);
    for (const entry of concerned) {
      this.#tell(entry, () => this.#parts.dispatcher?.missed(entry));
      for (const listener of listenersOf(entry)) {
        this.#tell(entry, () => listener.missed(entry.topic));
      }
    }
    return concerned.length;
  }

  // What one of them throws must not leave the others untold.
  #tell({ topic }: TopicEntry<Lane>, tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#parts.onListenerError(error, topic);
    }
  }

  #deliver(entry: TopicEntry<Lane>, envelope: Envelope, from: object | undefined): void {
    if (entry.listeners === undefined) {
      this.#parts.dispatcher?.dispatch(entry, envelope, from);
      return;
    }
    // Decoded before anything is delivered: a lane's user code may use the sender's buffer again.
    const listeners = listenersOf(entry);
    const payloads = listeners.map(() => envelope.payload());
    const { topic } = entry;
    this.#tellings.add({ topic, event: envelope.event(), listeners, payloads, from });
    this.#parts.dispatcher?.dispatch(entry, envelope, from);
    this.#tellings.tell();
  }
}

function tooLarge(length: number): Error {
  return makeError(
    "SIM_ERR_PAYLOAD_TOO_LARGE",
    `a broadcast must fit into overflowBytes, got ${length - HEADER_BYTES} (bytes)`,
  );
}
