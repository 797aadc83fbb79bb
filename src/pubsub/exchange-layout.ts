/**
 * Layout of the exchange: its shared memory, and the types of its records.
 *
 * One SharedArrayBuffer for each consumer, with a ring from each producer in it:
 *
 *   0                    members * RING_WORDS_BYTES, rounded up to a page
 *   +--------------------+---------------+---------------+--
 *   | words of ring 0, 1 | records of    | records of    |
 *   | ... members - 1    | ring 0        | ring 1        | ...
 *   +--------------------+---------------+---------------+--
 *     ring p: from producer p to this consumer. A member's ring to itself is never used. Like any
 *     unused ring, it takes address space but no memory.
 *
 *   generations   one word for each member, written by main only: how often its number
 *                 was retired. Records carry the low 16 bits.
 *
 *   type of a record
 *   31      24 23      16 15                 0
 *   +---------+----------+--------------------+
 *   | flags   | kind     | generation         |
 *   +---------+----------+--------------------+
 *     flags, kind   the caller's; kinds from FIRST_EXCHANGE_KIND on are the exchange's own
 *     generation    the producer's, when the record was written
 *
 *   payload of a FRAGMENT_KIND record, a part of a record too large for one
 *   0            4            8                 12
 *   +------------+------------+-----------------+------------
 *   | whole      | start of   | flags and kind  | bytes ...
 *   | length     | this part  | of the whole    |
 *   +------------+------------+-----------------+------------
 *
 *   payload of a LAPPED_KIND record: slots, an int32 each; an empty list means all slots
 *
 * Runs on: any thread; `makeExchangeMemory` on main.
 */

import { doorbellBytes } from "../memory/doorbell-layout.ts";
import { RING_WORDS_BYTES, checkCapacity } from "../memory/ring-layout.ts";
import type { RingPlace } from "../memory/ring-layout.ts";

/** State shared by all members of an exchange. Can be sent to a worker unchanged. */
export interface ExchangeMemory {
  /** Maximum number of members, including spares. */
  readonly members: number;
  readonly ringBytes: number;
  /** For each consumer, the rings to it. */
  readonly rings: readonly SharedArrayBuffer[];
  readonly doorbells: SharedArrayBuffer;
  readonly generations: SharedArrayBuffer;
}

/** Number that is never assigned to a member. */
export const NO_MEMBER = -1;

/** First kind that callers must not use. */
export const FIRST_EXCHANGE_KIND = 0xf0;

/** Kind of a record that is a part of a larger record. */
export const FRAGMENT_KIND = 0xf0;

/** Kind of a record that reports the loss of other records. */
export const LAPPED_KIND = 0xf1;

/** Length of the header in a fragment's payload. */
export const FRAGMENT_HEADER_BYTES = 12;

const PAGE_BYTES = 4096;
const GENERATION_MASK = 0xffff;

/** Creates the shared memory of an exchange. @throws SIM_ERR_INTERNAL if ringBytes is invalid */
export function makeExchangeMemory(sizes: { members: number; ringBytes: number }): ExchangeMemory {
  const { members, ringBytes } = sizes;
  checkCapacity(ringBytes);
  const bytes = firstRecordsOffset(members) + members * ringBytes;
  return {
    members,
    ringBytes,
    rings: Array.from({ length: members }, () => new SharedArrayBuffer(bytes)),
    doorbells: new SharedArrayBuffer(doorbellBytes(members)),
    generations: new SharedArrayBuffer(members * 4),
  };
}

/** Returns the location of a producer's ring within the rings to any consumer. */
export function ringPlace(memory: ExchangeMemory, producer: number): RingPlace {
  return {
    wordsOffset: producer * RING_WORDS_BYTES,
    recordsOffset: firstRecordsOffset(memory.members) + producer * memory.ringBytes,
    capacityBytes: memory.ringBytes,
  };
}

function firstRecordsOffset(members: number): number {
  return Math.ceil((members * RING_WORDS_BYTES) / PAGE_BYTES) * PAGE_BYTES;
}

/** Combines a kind (below FIRST_EXCHANGE_KIND) and flags (8 bits), for `publish`. */
export function kindAndFlags(kind: number, flags: number): number {
  return (flags << 8) | kind;
}

/** Returns the kind from a value created by `kindAndFlags`. */
export function kindOf(type: number): number {
  return type & 0xff;
}

/** Returns the flags from a value created by `kindAndFlags`. */
export function flagsOf(type: number): number {
  return (type >>> 8) & 0xff;
}

/** Combines kind and flags with a generation, for a ring. */
export function packType(type: number, generation: number): number {
  return (type << 16) | (generation & GENERATION_MASK);
}

/** Returns kind and flags from a type in a ring. */
export function unpackType(packed: number): number {
  return packed >>> 16;
}

/** Reports whether a type in a ring carries this generation. */
export function isOfGeneration(packed: number, generation: number): boolean {
  return (packed & GENERATION_MASK) === (generation & GENERATION_MASK);
}
