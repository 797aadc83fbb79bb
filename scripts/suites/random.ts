/**
 * Random choices that repeat for a seed.
 *
 * Runs on: any thread. Pure.
 */

/** A generator of random choices (mulberry32). The same seed yields the same choices. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Returns the generator of one part of a run, independent of how many choices others made. */
  static of(seed: number, kind: number, number: number): Random {
    return new Random(mix(mix(seed | 0, kind), number));
  }

  /** Returns an integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  /** Returns an integer from `min` to `max`. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** Returns true with a probability from 0 to 1. */
  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  /** Returns an element of a list. @throws Error if the list is empty */
  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new Error("there is nothing to pick from");
    return items[this.below(items.length)] as Item;
  }

  /** Returns random bytes. */
  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; at++) bytes[at] = this.below(256);
    return bytes;
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

function mix(state: number, value: number): number {
  let mixed = Math.imul(state ^ value, 0x9e3779b1);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}
