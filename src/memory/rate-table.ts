/**
 * Buckets that all shards of a node share: how much a key, such as a user, has spent of a limit.
 *
 * A bucket is one time (GCRA, the generic cell rate algorithm): when it will be full again. What is
 * spent moves it on by its cost; what would move it further ahead of now than the limit's tolerance
 * is refused. Nothing fills it: time passes.
 *
 * A key has a word in each row, by two hashes, and is refused only where both refuse (a count-min
 * sketch of times). Keys that share a word spend from it together; so a key is refused wrongly only
 * where others keep it from passing in both rows at once. It never passes more than its limit.
 *
 * Runs on:  any thread; one RateTable for each shard.
 * Owns:     nothing. Any shard may move any word, by compareExchange from what it has seen.
 * Order:    what passes is added to the other row first, and then to the row that decides, where it
 *           may still be refused. Of any two that passed by whichever rows, the later one has seen
 *           the earlier in the row that it was decided by: so they cannot both take the last token.
 * Full:     what both rows refuse is refused, with the time after which it would pass. Refusing
 *           writes nothing.
 */

import {
  INSTEAD_OF_ZERO,
  LONG_PAST_UNITS,
  MOST_DEBT_UNITS,
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
  /** Secret by which keys are hashed, so that nobody can choose whose words theirs are. */
  readonly seed: string;
}

/**
 * Makes the memory of a table. What is never used takes no memory, only addresses.
 *
 * @param bits - each row has two to this power of slots
 */
export function makeRateTableMemory(bits: number, seed: string): RateTableMemory {
  return { words: new SharedArrayBuffer(rateTableBytes(bits)), seed };
}

/** The buckets of a node, as one shard sees them. */
export class RateTable {
  readonly seed: string;
  readonly #words: Int32Array;
  readonly #slots: number;
  #refreshed = 0;

  constructor({ words, seed }: RateTableMemory) {
    this.seed = seed;
    this.#words = new Int32Array(words);
    this.#slots = slotsOf(this.#words.length);
  }

  /**
   * Spends from a bucket, if there is enough. Allocates nothing.
   *
   * @param hash0 - of the key and the limit, an int32: its word in row 0
   * @param hash1 - another one: its word in row 1
   * @param costUnits - what costs more than a whole bucket passes where the bucket is full, and is
   *   owed afterwards
   * @returns 0 where it passes; else the ms after which it would
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
    const cost = Math.min(costUnits, MOST_DEBT_UNITS);
    const isDecidedBy0 = spent0 <= spent1;
    // A row beyond the tolerance decides nothing for this limit before it is below it again, and
    // keys that share a word must not push each other ever further ahead.
    this.#add(isDecidedBy0 ? word1 : word0, now, cost, toleranceUnits);
    return msOf(this.#add(isDecidedBy0 ? word0 : word1, now, cost, mostSpent));
  }

  /**
   * Gives back some of the words that lie long in the past, a 4 096th of all: called once a second
   * or more often, by however many shards, none is ever so old that it would seem to lie ahead.
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

  /** Gives what is spent of a bucket (units). */
  #spent(word: number, now: number): number {
    return spentOf(Atomics.load(this.#words, word), now);
  }

  /**
   * Adds to what is spent, where that is not more than so much already.
   *
   * @returns 0 where it was added; else by how much more was spent (units)
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
