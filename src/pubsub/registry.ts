/**
 * The topics that have subscribers on this thread, and these subscribers.
 *
 * Topics are found by the hash in a record, so no topic is decoded for delivery.
 *
 * Runs on: main, shard; one for each.
 */

import { topicHash } from "../memory/topic-hash.ts";
import type { Broadcast, Envelope } from "./envelope.ts";
import type { KeptEntry } from "./kept-entry.ts";

/** A subscriber in code. */
export interface Listener {
  /**
   * Handles a broadcast. If it throws, the error is logged, and other listeners are not affected.
   *
   * @param bytes - length of the encoded payload
   */
  receive(broadcast: Broadcast, bytes: number): void;
  /** Called when broadcasts to the topic were lost on their way to this thread. */
  missed(topic: string): void;
  /** Whether the topic is the ID of a socket, so that of all broadcasts only a disconnect concerns it. */
  readonly isOfId?: boolean;
}

/** One topic of this thread. */
export class TopicEntry<Lane> {
  readonly topic: string;
  readonly hash: number;
  /** The topic in quotes, as it appears in frames. */
  readonly json: string;
  /** Number of bytes between the quotes. */
  readonly jsonLength: number;
  /** Number of subscribers of both kinds. At 0 the entry is removed. */
  count = 0;
  /**
   * The listeners, and how often each was added; undefined if there are none. Adding and removing take
   * constant time, even if thousands of sockets share an id. A dispatch iterates over a copy.
   */
  listeners: Map<Listener, number> | undefined = undefined;
  /** The subscribers that receive frames, grouped by the dispatcher. Replaced, never modified. */
  lanes: readonly Lane[] = NO_LANES;
  /** Where this thread is in the topic's history; undefined if the topic is not kept. */
  kept: KeptEntry | undefined = undefined;
  /** Next entry with the same hash. */
  next: TopicEntry<Lane> | undefined = undefined;

  constructor(topic: string, hash: number) {
    this.topic = topic;
    this.hash = hash;
    this.json = JSON.stringify(topic);
    this.jsonLength = Buffer.byteLength(this.json) - 2;
  }
}

const NO_LANES: readonly never[] = [];

/** Returns a copy of the listeners, with each repeated as often as it was added. */
export function listenersOf({ listeners }: TopicEntry<unknown>): Listener[] {
  const all: Listener[] = [];
  for (const [listener, times] of listeners ?? NOBODY) {
    for (let time = 0; time < times; time += 1) all.push(listener);
  }
  return all;
}

const NOBODY: ReadonlyMap<Listener, number> = new Map();

/** All topics of this thread. */
export class Registry<Lane> {
  readonly #seed: number;
  readonly #entries = new Map<number, TopicEntry<Lane>>();
  #size = 0;

  /** @param seed - seed of the topic hash, the same in all threads of the node */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Number of topics. */
  get size(): number {
    return this.#size;
  }

  hashOf(topic: string): number {
    return topicHash(this.#seed, topic);
  }

  /** Finds a topic by its name. */
  get(topic: string): TopicEntry<Lane> | undefined {
    let entry = this.#entries.get(this.hashOf(topic));
    while (entry !== undefined && entry.topic !== topic) entry = entry.next;
    return entry;
  }

  /** Finds the topic of an envelope. */
  find(envelope: Envelope): TopicEntry<Lane> | undefined {
    let entry = this.#entries.get(envelope.hash);
    while (entry !== undefined && !envelope.hasTopic(entry.json, entry.jsonLength))
      entry = entry.next;
    return entry;
  }

  /** Returns the entry for a topic, creating it if necessary. The caller increments `count`. */
  ensure(topic: string): TopicEntry<Lane> {
    const known = this.get(topic);
    if (known) return known;
    const entry = new TopicEntry<Lane>(topic, this.hashOf(topic));
    entry.next = this.#entries.get(entry.hash);
    this.#entries.set(entry.hash, entry);
    this.#size += 1;
    return entry;
  }

  /** Removes a topic. */
  delete(entry: TopicEntry<Lane>): void {
    const first = this.#entries.get(entry.hash);
    this.#size -= 1;
    if (first === entry) {
      if (entry.next) this.#entries.set(entry.hash, entry.next);
      else this.#entries.delete(entry.hash);
      return;
    }
    let before = first;
    while (before !== undefined && before.next !== entry) before = before.next;
    if (before) before.next = entry.next;
  }

  /** Returns a copy of the list of all topics. Too slow to be called for each message. */
  all(): TopicEntry<Lane>[] {
    return [...this.entries()];
  }

  /**
   * Iterates over all topics, which must not change during the iteration.
   *
   * @yields each topic's entry
   */
  *entries(): Iterable<TopicEntry<Lane>> {
    for (const first of this.#entries.values()) {
      for (let entry: TopicEntry<Lane> | undefined = first; entry; entry = entry.next) yield entry;
    }
  }
}
