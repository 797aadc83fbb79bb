/**
 * The topics that this thread has subscribers of, and who they are.
 *
 * Found by the hash that travels with a record, so that no topic is decoded to deliver it.
 *
 * Runs on: main, shard, link; one for each.
 */

import { topicHash } from "../memory/topic-hash.ts";
import type { Broadcast, Envelope } from "./envelope.ts";

/** Somebody who takes broadcasts in code. */
export interface Listener {
  /** Takes a broadcast. What it throws is logged, and reaches no other listener. */
  receive(broadcast: Broadcast): void;
  /** Is told that broadcasts of the topic were lost on their way to this thread. */
  missed(topic: string): void;
}

/** One topic of this thread. */
export class TopicEntry<Lane> {
  readonly topic: string;
  readonly hash: number;
  /** The topic in quotes, as it stands in a frame. */
  readonly json: string;
  /** Bytes of what the quotes hold. */
  readonly jsonLength: number;
  /** Subscribers of both kinds. At zero the entry is forgotten. */
  count = 0;
  /**
   * Those who listen in code, and how often each; undefined: nobody does. Adding and removing is
   * one step, also where thousands of sockets share one id. A dispatch goes through a copy.
   */
  listeners: Map<Listener, number> | undefined = undefined;
  /** Those who get frames; the dispatcher's affair. Replaced, never changed. */
  lanes: readonly Lane[] = NO_LANES;
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

/** Gives the listeners as they are now, each as often as it listens. */
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

  /** @param seed - of the topic hash, the same in all threads of the node */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Topics that have a subscriber. */
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

  /** Gives the entry of a topic, made where there is none. The caller counts itself in. */
  ensure(topic: string): TopicEntry<Lane> {
    const known = this.get(topic);
    if (known) return known;
    const entry = new TopicEntry<Lane>(topic, this.hashOf(topic));
    entry.next = this.#entries.get(entry.hash);
    this.#entries.set(entry.hash, entry);
    this.#size += 1;
    return entry;
  }

  /** Forgets a topic. */
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

  /** All topics, as they are now. Costs time: not for the path of a message. */
  all(): TopicEntry<Lane>[] {
    return [...this.entries()];
  }

  /**
   * Goes through all topics, which may not change meanwhile.
   *
   * @yields each topic's entry
   */
  *entries(): Iterable<TopicEntry<Lane>> {
    for (const first of this.#entries.values()) {
      for (let entry: TopicEntry<Lane> | undefined = first; entry; entry = entry.next) yield entry;
    }
  }
}
