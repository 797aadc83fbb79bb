/**
 * Layout of the rate table: two rows of times. For each key, a limit uses one word in each row.
 *
 *   row 0                      row 1
 *   0                          slots                      2 × slots
 *   +--------------------------+--------------------------+
 *   | time | time | ...        | time | time | ...        |   each an Int32
 *   +--------------------------+--------------------------+
 *
 *   time   time at which the bucket will be full again, in units of the clock; wraps.
 *          NEVER_USED: the bucket is full.
 *          Written by any shard, only by compareExchange.
 *
 * A time in the past means that the bucket is full, like NEVER_USED. Because times wrap, a time
 * that is more than half the range in the past would be read as a time in the future.
 * `RateTable.refresh` resets old words to NEVER_USED before that can happen.
 *
 * Runs on: any thread. Constants and arithmetic only.
 *
 * Two units of time, never mixed:
 *   ms     whole milliseconds of the clock shared by all threads of the process (`limits/clock`)
 *   units  1/64 ms, so that a limit can allow more than one message per millisecond
 */

/** Number of units in a millisecond. */
export const UNITS_PER_MS = 64;
/** Value of a word that is not in use. */
export const NEVER_USED = 0;
/** Stored instead of a time of 0, which would be read as NEVER_USED. It is one unit later. */
export const INSTEAD_OF_ZERO = 1;
/** Largest debt that one message may cause (units, 2.3 h). */
export const MAX_DEBT_UNITS = 0x2000_0000;
/** Words further in the past than this are reset (units, 2.3 h). */
export const LONG_PAST_UNITS = 0x2000_0000;
/** Number of calls to `refresh` that cover the whole table. */
export const REFRESHES_PER_ROUND = 4_096;

const WORD_BYTES = 4;
const ROWS = 2;

/** Returns the size of a table whose rows have 2^bits slots (bytes). */
export function rateTableBytes(bits: number): number {
  return ROWS * 2 ** bits * WORD_BYTES;
}

/** Returns the number of slots per row in a table of `words` words. */
export function slotsOf(words: number): number {
  return words / ROWS;
}

/** Converts a time of the clock to the form stored in a word (an int32, in units). */
export function unitsAt(nowMs: number): number {
  return (nowMs * UNITS_PER_MS) | 0;
}

/** Returns the number of units from `now` to `time`; negative if `time` has passed. */
export function unitsAhead(time: number, now: number): number {
  return (time - now) | 0;
}

/** Converts units to milliseconds, rounded up. */
export function msOf(units: number): number {
  return Math.ceil(units / UNITS_PER_MS);
}
