/**
 * Layout of the buffer gauges: what each member of a node holds for its clients and for other members.
 *
 *   member 0                                    member 1            ...
 *   0                                           GAUGES_BYTES
 *   +-------+---------+---------+-----+---------+-------+-----------+--
 *   | total | class 0 | class 1 | ... | class m | total | class 0 ...     each a Float64 (bytes)
 *   +-------+---------+---------+-----+---------+-------+-----------+--
 *
 *   total    all bytes that the member holds
 *   class k  the part that belongs to owners with at least 2^(k + 9) and less than 2^(k + 10) bytes; class 0 also
 *            has all smaller owners, and class m all larger ones
 *
 * A block consists of whole pairs of cache lines. Only the member writes it; main clears it after the thread has
 * ended. Any thread reads all blocks.
 *
 * Runs on: any thread. Constants and arithmetic only.
 */

/** Number of classes. */
export const CLASSES = 24;
/** Exponent of the size below which owners are in class 0. */
const FIRST_EXPONENT = 10;

/** Index of a member's total within its block. */
export const TOTAL_AT = 0;
/** Index of class 0 within a block. */
export const CLASS_AT = 1;

const CACHE_LINE_PAIR_BYTES = 128;
const BLOCK_BYTES = (CLASS_AT + CLASSES) * 8;

/** Size of a member's block (bytes). */
export const GAUGES_BYTES = Math.ceil(BLOCK_BYTES / CACHE_LINE_PAIR_BYTES) * CACHE_LINE_PAIR_BYTES;
/** Size of a member's block (doubles). */
export const GAUGES_DOUBLES = GAUGES_BYTES / 8;

/** Returns the class of an owner that holds this many bytes. */
export function classOf(bytes: number): number {
  const exponent = bytes < 1 ? 0 : Math.floor(Math.log2(bytes)) + 1;
  return Math.min(Math.max(exponent - FIRST_EXPONENT, 0), CLASSES - 1);
}
