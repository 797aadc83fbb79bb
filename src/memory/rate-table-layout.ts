/**
 * Layout of the rate table: two rows of times, one word of each for a key of a limit.
 *
 *   row 0                      row 1
 *   0                          slots                      2 × slots
 *   +--------------------------+--------------------------+
 *   | time | time | ...        | time | time | ...        |   each an Int32
 *   +--------------------------+--------------------------+
 *
 *   time   when the bucket will be full again, in units of the clock; it wraps.
 *          NEVER_USED: the bucket is full.
 *          Written by any shard, by compareExchange only.
 *
 * A time in the past says the same as NEVER_USED: a full bucket. After half of the words' range it
 * would say that it lies ahead, so those that are long past are given back before
 * (`RateTable.refresh`).
 *
 * Runs on: any thread. Constants and arithmetic only.
 *
 * Two measures, never mixed:
 *   ms     of the clock that all threads of the process have (`limits/clock`), whole
 *   units  sixty-fourths of a ms, so that a limit may let more than one a ms pass
 */

/** Units of a millisecond. */
export const UNITS_PER_MS = 64;
/** What a word has before it was used. */
export const NEVER_USED = 0;
/** Stands for the one time that would look like NEVER_USED: a unit later. */
export const INSTEAD_OF_ZERO = 1;
/** Most that one message may put a bucket into debt (units, 2.3 h). */
export const MOST_DEBT_UNITS = 0x2000_0000;
/** Words that lie further back than this are given back (units, 2.3 h). */
export const LONG_PAST_UNITS = 0x2000_0000;
/** The whole table has been looked at after so many refreshes. */
export const REFRESHES_PER_ROUND = 4_096;

const WORD_BYTES = 4;
const ROWS = 2;

/** Gives the bytes of a table whose rows have two to this power of slots. */
export function rateTableBytes(bits: number): number {
  return ROWS * 2 ** bits * WORD_BYTES;
}

/** Gives the slots of each row of a table with so many words. */
export function slotsOf(words: number): number {
  return words / ROWS;
}

/** Gives a time of the clock as a word has it (units, an int32). */
export function unitsAt(nowMs: number): number {
  return (nowMs * UNITS_PER_MS) | 0;
}

/** Gives how far a time of a word lies ahead of another (units); negative: it has passed. */
export function unitsAhead(time: number, now: number): number {
  return (time - now) | 0;
}

/** Gives the ms after which so many units have passed. */
export function msOf(units: number): number {
  return Math.ceil(units / UNITS_PER_MS);
}
