/**
 * Layout of the rate table: two rows of times. Each key of a limit has one word in each row.
 *
 *   row 0                      row 1
 *   0                          slots                      2 × slots
 *   +--------------------------+--------------------------+
 *   | time | time | ...        | time | time | ...        |   each an Int32
 *   +--------------------------+--------------------------+
 *
 *   time   when the bucket will be full again, in units of the clock; wraps.
 *          NEVER_USED: the bucket is full.
 *          Written by any shard, by compareExchange only.
 *
 * A time in the past means the same as NEVER_USED: a full bucket. Because times wrap, a time more
 * than half the range in the past would look like a time in the future. `RateTable.refresh` resets
 * old words to NEVER_USED before that happens.
 *
 * Runs on: any thread. Constants and arithmetic only.
 *
 * Two measures, never mixed:
 *   ms     whole milliseconds of the clock that all threads of the process share (`limits/clock`)
 *   units  1/64 ms, so that a limit can allow more than one message per millisecond
 */

/** Units in a millisecond. */
export const UNITS_PER_MS = 64;
/** Value of a word that has not been used. */
export const NEVER_USED = 0;
/** Stored in place of a time of 0, which would look like NEVER_USED: one unit later. */
export const INSTEAD_OF_ZERO = 1;
/** Largest debt that one message may cause (units, 2.3 h). */
export const MAX_DEBT_UNITS = 0x2000_0000;
/** Words further in the past than this are reset (units, 2.3 h). */
export const LONG_PAST_UNITS = 0x2000_0000;
/** Number of refreshes that cover the whole table. */
export const REFRESHES_PER_ROUND = 4_096;

const WORD_BYTES = 4;
const ROWS = 2;

/** Returns the bytes of a table whose rows have 2^bits slots. */
export function rateTableBytes(bits: number): number {
  return ROWS * 2 ** bits * WORD_BYTES;
}

/** Returns the slots per row of a table with `words` words. */
export function slotsOf(words: number): number {
  return words / ROWS;
}

/** Converts a time of the clock to the form stored in a word (units, an int32). */
export function unitsAt(nowMs: number): number {
  return (nowMs * UNITS_PER_MS) | 0;
}

/** Returns the units from `now` until `time`; negative if `time` has passed. */
export function unitsAhead(time: number, now: number): number {
  return (time - now) | 0;
}

/** Converts units to milliseconds, rounded up. */
export function msOf(units: number): number {
  return Math.ceil(units / UNITS_PER_MS);
}
