/**
 * Layout of a ring: the words of its two sides, and its records.
 *
 * A ring's words and records can be in different places. So the words of many rings share a
 * few pages, and a ring that is never used takes no memory for its records.
 *
 *   words, RING_WORDS_BYTES; each side writes its own pair of cache lines
 *     +0   tail         written only by the producer
 *     +1   wants-room   written only by the producer: 1 while it waits for room
 *     +32  head         written only by the consumer
 *
 *   records, capacityBytes (a power of two)
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
 *     type     type of the payload; PADDING_TYPE in a record that only fills the end
 *
 * A record takes at most an eighth of the ring. Including the padding that it may need at the
 * end of the ring, it always fits if a quarter of the ring is free, wherever the tail is.
 *
 * Runs on: any thread. Constants and arithmetic only.
 *
 * Four measures, never mixed:
 *   position  bytes written (or read) since the ring was made; wraps at 2^32
 *   offset    bytes from the start of the shared memory
 *   word      index into an Int32Array: offset >> 2
 *   length    bytes
 */

import { makeError } from "../errors.ts";

/** Bytes of a record's header. */
export const HEADER_BYTES = 8;

/** Records are aligned to this. */
const ALIGNMENT_BYTES = 8;

/** Word of the producer's position. */
export const TAIL_WORD = 0;

/** Word with which the producer asks for room; on the producer's cache lines. */
export const WANTS_ROOM_WORD = 1;

/** Word of the consumer's position, two cache lines further. */
export const HEAD_WORD = 32;

/** Bytes of a ring's words. */
export const RING_WORDS_BYTES = 256;

/** Type of a record that contains no message and only fills the end of the ring. */
export const PADDING_TYPE = -1;

/** Smallest capacity of a ring; an eighth of it is a header and six words. */
const MIN_CAPACITY_BYTES = 256;

/** Largest capacity of a ring, so that lengths and differences of positions stay positive. */
const MAX_CAPACITY_BYTES = 2 ** 30;

/** The place of a ring in a SharedArrayBuffer. */
export interface RingPlace {
  /** Offset of the ring's words; a multiple of 4, ideally of 128. */
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

/** Returns the most payload bytes that a record of a ring may have. */
export function maxPayloadBytes(capacityBytes: number): number {
  return (capacityBytes >> 3) - HEADER_BYTES;
}

/** Checks that a ring can have this capacity. @throws SIM_ERR_INTERNAL if it cannot */
export function checkCapacity(capacityBytes: number): void {
  const isPowerOfTwo = (capacityBytes & (capacityBytes - 1)) === 0;
  const isInRange = capacityBytes >= MIN_CAPACITY_BYTES && capacityBytes <= MAX_CAPACITY_BYTES;
  if (isPowerOfTwo && isInRange) return;
  throw makeError(
    "SIM_ERR_INTERNAL",
    `capacityBytes must be a power of two from ${MIN_CAPACITY_BYTES} to ${MAX_CAPACITY_BYTES} (bytes), got ${capacityBytes}`,
  );
}
