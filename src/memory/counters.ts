/**
 * Counters that are written by one member and can be read by any thread at any time.
 *
 * Runs on:  any thread; one Counters per member, used only by that member's thread.
 * Owns:     a member writes only its own block; main clears it after the thread has ended.
 * Order:    none. A reader may see the new value of one counter and the old value of another.
 *           A single value is never torn on the platforms that the engine supports (x64, arm64),
 *           because an aligned double is loaded and stored by one instruction. JavaScript itself
 *           guarantees this only for 32-bit values; a litmus test checks it for doubles.
 *
 * A double represents integers up to 2^53 exactly: a million increments per second for 285 years.
 */

import { COUNTER, COUNTERS_BYTES, COUNTER_NAMES, countersBytes } from "./counters-layout.ts";
import type { CounterName } from "./counters-layout.ts";

/** The name of a counter, or its index in `COUNTER`, which is faster. */
export type CounterRef = CounterName | number;

/** Allocates zeroed counters for a given number of members. */
export function makeCountersMemory(members: number): SharedArrayBuffer {
  return new SharedArrayBuffer(countersBytes(members));
}

/** The counters of one member, for writing. */
export class Counters {
  readonly #shared: SharedArrayBuffer;
  readonly #values: Float64Array;

  constructor(shared: SharedArrayBuffer, member: number) {
    this.#shared = shared;
    this.#values = valuesOf(shared, member);
  }

  /** Adds to a counter. */
  add(counter: CounterRef, n = 1): void {
    const index = typeof counter === "number" ? counter : COUNTER[counter];
    this.#values[index] = (this.#values[index] as number) + n;
  }

  /**
   * Adds 1 to a counter, for an event that the node logs once.
   *
   * @returns true if no member had counted it before; two members that count at the same moment may both
   *   get true
   */
  isFirst(counter: number): boolean {
    const isKnown = this.#values[counter] !== 0 || new CounterSum(this.#shared, counter).value > 0;
    this.add(counter);
    return !isKnown;
  }

  /** Sets a gauge. */
  set(counter: CounterRef, value: number): void {
    this.#values[typeof counter === "number" ? counter : COUNTER[counter]] = value;
  }

  /** Raises a peak to a value if the peak is lower. */
  raise(counter: CounterRef, value: number): void {
    const index = typeof counter === "number" ? counter : COUNTER[counter];
    if (value > (this.#values[index] as number)) this.#values[index] = value;
  }
}

/** The sum of one counter over all members, which any thread may read. */
export class CounterSum {
  readonly #values: Float64Array;
  readonly #counter: number;

  constructor(shared: SharedArrayBuffer, counter: number) {
    this.#values = new Float64Array(shared);
    this.#counter = counter;
  }

  /** Reads the counter of each member. Takes a load for each, and allocates nothing. */
  get value(): number {
    let sum = 0;
    for (let at = this.#counter; at < this.#values.length; at += COUNTERS_BYTES / 8) {
      sum += this.#values[at] as number;
    }
    return sum;
  }
}

/** Reads all counters of a member. */
export function readCounters(
  shared: SharedArrayBuffer,
  member: number,
): Record<CounterName, number> {
  const values = valuesOf(shared, member);
  const read = { ...COUNTER };
  for (const name of COUNTER_NAMES) read[name] = values[COUNTER[name]] as number;
  return read;
}

/** Resets all counters of a member to 0. Called by main after the member's thread has ended. */
export function clearCounters(shared: SharedArrayBuffer, member: number): void {
  valuesOf(shared, member).fill(0);
}

function valuesOf(shared: SharedArrayBuffer, member: number): Float64Array {
  return new Float64Array(shared, member * COUNTERS_BYTES, COUNTER_NAMES.length);
}
