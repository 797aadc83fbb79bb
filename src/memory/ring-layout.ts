/**
 * Layout of a ring: the words of its two sides, and its records.
 *
 * The words and the records of a ring can be stored in different places. So the words of many rings
 * can share a few pages, and a ring that is never used needs no memory for its records.
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
 * A record occupies at most an eighth of the ring. Including any padding required at the end of the
 * ring, a record always fits if a quarter of the ring is free, regardless of the tail's position.
 *
 * Runs on: any thread. Constants and arithmetic only.
 *
 * Four units, never mixed:
 *   position  bytes written (or read) since the ring was created; wraps at 2^32
 *   offset    bytes from the start of the shared memory
 *   word      index into an Int32Array: offset >> 2
 *   length    bytes
 */

import { makeError } from "../errors.ts";

/** Size of a record's header (bytes). */
export const HEADER_BYTES = 8;

/** Alignment of records (bytes). */
const ALIGNMENT_BYTES = 8;

/** Index of the word that contains the producer's position. */
export const TAIL_WORD = 0;

/** Index of the word with which the producer requests room; on the producer's cache lines. */
export const WANTS_ROOM_WORD = 1;

/** Index of the word that contains the consumer's position, two cache lines further on. */
export const HEAD_WORD = 32;

/** Size of a ring's words (bytes). */
export const RING_WORDS_BYTES = 256;

/** Type of a record that carries no message and only fills the end of the ring. */
export const PADDING_TYPE = -1;

/** Smallest capacity of a ring. An eighth of it holds a header and six words. */
const MIN_CAPACITY_BYTES = 256;

/** Largest capacity of a ring. It keeps lengths and differences of positions positive. */
const MAX_CAPACITY_BYTES = 2 ** 30;

/** Location of a ring in a SharedArrayBuffer. */
export interface RingPlace {
  /** Offset of the ring's words; a multiple of 4, preferably of 128. */
  readonly wordsOffset: number;
  /** Offset of the ring's records; a multiple of 8. */
  readonly recordsOffset: number;
  /** Size of the records area; a power of two. */
  readonly capacityBytes: number;
}

/** Rounds a length up to the next record boundary. */
export function align(length: number): number {
  return (length + (ALIGNMENT_BYTES - 1)) & ~(ALIGNMENT_BYTES - 1);
}

/** Returns the maximum payload of a record in a ring (bytes). */
export function maxPayloadBytes(capacityBytes: number): number {
  return (capacityBytes >> 3) - HEADER_BYTES;
}

/** Checks that a capacity is valid for a ring. @throws SIM_ERR_INTERNAL if it is not */
export function checkCapacity(capacityBytes: number): void {
  const isPowerOfTwo = (capacityBytes & (capacityBytes - 1)) === 0;
  const isInRange = capacityBytes >= MIN_CAPACITY_BYTES && capacityBytes <= MAX_CAPACITY_BYTES;
  if (isPowerOfTwo && isInRange) return;
  throw makeError(
    "SIM_ERR_INTERNAL",
    `capacityBytes must be a power of two from ${MIN_CAPACITY_BYTES} to ${MAX_CAPACITY_BYTES} (bytes), got ${capacityBytes}`,
  );
}
