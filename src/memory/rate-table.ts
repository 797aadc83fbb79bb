/**
 * Rate limit buckets shared by all shards of a node. Each key (such as a user) has one per limit.
 *
 * A bucket is a single time: the time at which it will be full again (GCRA, the generic cell rate
 * algorithm). Spending moves that time forward by the cost. A request that would move it further
 * ahead than the limit's tolerance is refused. Refilling a bucket requires no work.
 *
 * A key has one word in each row, found by two hashes. It is refused only if both rows refuse it
 * (a count-min sketch of times). Keys that share a word spend from the same bucket. So a key is
 * refused wrongly only if other keys exhaust its words in both rows at the same time. A key can
 * never exceed its limit.
 *
 * Runs on:  any thread; one RateTable per shard.
 * Owns:     nothing. Any shard may change any word, by compareExchange from the value it has read.
 * Order:    a cost is added first to the other row, then to the deciding row, where the request can
 *           still be refused. Of any two requests that pass, the later one sees the cost of the
 *           earlier one in its deciding row. So they cannot both take the last token.
 * Full:     a request is refused if both rows refuse it, and the caller receives the time until it
 *           would pass. A refusal writes nothing, unless another shard spends at the same moment.
 */

import { createHmac } from "node:crypto";

import {
  INSTEAD_OF_ZERO,
  LONG_PAST_UNITS,
  MAX_DEBT_UNITS,
  msOf,
  NEVER_USED,
  rateTableBytes,
  REFRESHES_PER_ROUND,
  slotsOf,
  unitsAhead,
  unitsAt,
} from "./rate-table-layout.ts";

/** Shared memory of a rate table. */
export interface RateTableMemory {
  readonly words: SharedArrayBuffer;
  /** Secret seed of the key hashes, so that a client cannot choose keys that share words. */
  readonly seed: string;
}

/** A hashed key: two independent int32 hashes, each of which selects the key's word in one row. */
export interface RateKey {
  readonly hash0: number;
  readonly hash1: number;
}

/**
 * Allocates a table. Pages that are never used reserve address space but no memory.
 *
 * @param bits - each row has 2^bits slots
 */
export function makeRateTableMemory(bits: number, seed: string): RateTableMemory {
  return { words: new SharedArrayBuffer(rateTableBytes(bits)), seed };
}

/** The buckets of a node, used by one shard. */
export class RateTable {
  readonly #seed: string;
  readonly #words: Int32Array;
  readonly #slots: number;
  #refreshed = 0;

  constructor({ words, seed }: RateTableMemory) {
    this.#seed = seed;
    this.#words = new Int32Array(words);
    this.#slots = slotsOf(this.#words.length);
  }

  /** Hashes a key. This takes a few µs. */
  keyOf(text: string): RateKey {
    const digest = createHmac("sha256", this.#seed).update(text).digest();
    return { hash0: digest.readInt32LE(0), hash1: digest.readInt32LE(4) };
  }

  /**
   * Spends from a bucket if it contains enough. Allocates nothing.
   *
   * @param hash0 - int32 hash of the key and the limit; selects the word in row 0
   * @param hash1 - a second, independent hash; selects the word in row 1
   * @param costUnits - a cost above the tolerance passes if the bucket is full, and leaves a debt
   * @returns 0 if the cost was spent; otherwise the time until it would pass (ms)
   */
  spend(
    hash0: number,
    hash1: number,
    nowMs: number,
    costUnits: number,
    toleranceUnits: number,
  ): number {
    const mask = this.#slots - 1;
    const word0 = hash0 & mask;
    const word1 = this.#slots + (hash1 & mask);
    const now = unitsAt(nowMs);
    const spent0 = this.#spent(word0, now);
    const spent1 = this.#spent(word1, now);
    const mostSpent = toleranceUnits - Math.min(costUnits, toleranceUnits);
    const excess = Math.min(spent0, spent1) - mostSpent;
    if (excess > 0) return msOf(excess);
    const cost = Math.min(costUnits, MAX_DEBT_UNITS);
    const isDecidedBy0 = spent0 <= spent1;
    // A row above the tolerance cannot decide for this limit until it has fallen below it. Its time
    // is not moved further ahead, because keys that share the word could do so indefinitely.
    this.#add(isDecidedBy0 ? word1 : word0, now, cost, toleranceUnits);
    return msOf(this.#add(isDecidedBy0 ? word0 : word1, now, cost, mostSpent));
  }

  /** Returns what has been spent from a bucket, as the time until it is full again (ms). */
  spentMs(hash0: number, hash1: number, nowMs: number): number {
    const mask = this.#slots - 1;
    const now = unitsAt(nowMs);
    const spent0 = this.#spent(hash0 & mask, now);
    return msOf(Math.min(spent0, this.#spent(this.#slots + (hash1 & mask), now)));
  }

  /**
   * Checks the next 1/4096 of the table and resets words that are far in the past. If at least one
   * shard calls this every second, no word becomes old enough to be read as a time in the future.
   */
  refresh(nowMs: number): void {
    const { length } = this.#words;
    const now = unitsAt(nowMs);
    for (let count = Math.ceil(length / REFRESHES_PER_ROUND); count > 0; count -= 1) {
      const word = this.#refreshed;
      this.#refreshed = (word + 1) % length;
      const time = Atomics.load(this.#words, word);
      if (time === NEVER_USED || unitsAhead(time, now) > -LONG_PAST_UNITS) continue;
      Atomics.compareExchange(this.#words, word, time, NEVER_USED);
    }
  }

  /** Returns the amount spent from a bucket (units). */
  #spent(word: number, now: number): number {
    return spentOf(Atomics.load(this.#words, word), now);
  }

  /**
   * Adds a cost to a bucket if at most `mostSpent` units have been spent from it.
   *
   * @returns 0 if the cost was added; otherwise the excess over `mostSpent` (units)
   */
  #add(word: number, now: number, cost: number, mostSpent: number): number {
    for (;;) {
      const time = Atomics.load(this.#words, word);
      const spent = spentOf(time, now);
      if (spent > mostSpent) return spent - mostSpent;
      const next = (now + spent + cost) | 0 || INSTEAD_OF_ZERO;
      if (Atomics.compareExchange(this.#words, word, time, next) === time) return 0;
    }
  }
}

function spentOf(time: number, now: number): number {
  return time === NEVER_USED ? 0 : Math.max(unitsAhead(time, now), 0);
}
