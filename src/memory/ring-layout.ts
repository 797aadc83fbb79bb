/**
 * Layout of a ring: the words of its two sides, and its records.
 *
 * A ring's words and its records may lie apart, so that the words of many rings share
 * few pages and a ring that was never used costs no memory.
 *
 *   its words, RING_WORDS_BYTES; each side writes its own pair of cache lines
 *     +0   tail         written by the producer only
 *     +1   wants-room   written by the producer only: 1 while it waits for room
 *     +32  head         written by the consumer only
 *
 *   its records, capacityBytes (a power of two)
 *   0                                           capacityBytes
 *   +----------+----------+--------+------------+
 *   | record   | record   | ...    | (padding)  |
 *   +----------+----------+--------+------------+
 *
 *   record, aligned to 8 bytes
 *   0          4          8
 *   +----------+----------+----------------+
 *   | length   | type     | payload ...    |
 *   +----------+----------+----------------+
 *     length   bytes of header and payload, before alignment
 *     type     what the payload is; PADDING_TYPE in a record that only fills the end
 *
 * A record takes at most an eighth of the ring. So with what it may pad at the end, a
 * quarter of free bytes is room for any record, wherever the tail stands.
 *
 * Runs on: any thread. Constants and arithmetic only.
 *
 * Four words for four measures, never mixed:
 *   position  bytes written (or read) since the ring was made; wraps at 2^32
 *   offset    bytes from the start of the shared memory (in it, or of the records)
 *   word      index into an Int32Array: offset >> 2
 *   length    bytes
 */

import { makeError } from "../errors.ts";

/** Bytes of a record's header. */
export const HEADER_BYTES = 8;

/** Every record starts at a multiple of this. */
const ALIGNMENT_BYTES = 8;

/** Word that holds the producer's position. */
export const TAIL_WORD = 0;

/** Word by which the producer asks for room, on its own cache line. */
export const WANTS_ROOM_WORD = 1;

/** Word that holds the consumer's position, two cache lines further. */
export const HEAD_WORD = 32;

/** Bytes of a ring's words. */
export const RING_WORDS_BYTES = 256;

/** Type of a record that holds no message, and only fills the end of the ring. */
export const PADDING_TYPE = -1;

/** Smallest capacity of a ring: an eighth of it holds a header and three words. */
const MIN_CAPACITY_BYTES = 256;

/** Largest capacity of a ring: lengths and differences of positions stay positive. */
const MAX_CAPACITY_BYTES = 2 ** 30;

/** Where one ring lies in a SharedArrayBuffer. */
export interface RingPlace {
  /** Offset of the ring's words; a multiple of 4, better of 128. */
  readonly wordsOffset: number;
  /** Offset of the ring's records; a multiple of 8. */
  readonly recordsOffset: number;
  /** Bytes of the records; a power of two. */
  readonly capacityBytes: number;
}

/** Rounds a length up to the next record boundary. */
export function align(length: number): number {
  return (length + (ALIGNMENT_BYTES - 1)) & ~(ALIGNMENT_BYTES - 1);
}

/** Gives the most payload bytes that one record of a ring may have. */
export function maxPayloadBytes(capacityBytes: number): number {
  return (capacityBytes >> 3) - HEADER_BYTES;
}

/** Checks that a ring can have this capacity. @throws SIM_ERR_INTERNAL where it cannot */
export function checkCapacity(capacityBytes: number): void {
  const isPowerOfTwo = (capacityBytes & (capacityBytes - 1)) === 0;
  const isInRange = capacityBytes >= MIN_CAPACITY_BYTES && capacityBytes <= MAX_CAPACITY_BYTES;
  if (isPowerOfTwo && isInRange) return;
  throw makeError(
    "SIM_ERR_INTERNAL",
    `capacityBytes must be a power of two from ${MIN_CAPACITY_BYTES} to ${MAX_CAPACITY_BYTES} (bytes), got ${capacityBytes}`,
  );
}
