/**
 * The path from another member to this one: its ring, and the large record that arrives in it.
 *
 * Runs on: the consumer's thread.
 * Owns:    the consumer's side of the ring.
 * Order:   what was taken out of the ring is delivered before what is in it. A producer's fragments
 *          arrive in order, with nothing between them.
 * Full:    at most a ring's worth is taken out, or 64 KiB if a ring is smaller. The rest stays in the
 *          ring, and its producer finds no room, as with any member that does not read.
 */

import type { Counters } from "../memory/counters.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { RingConsumer } from "../memory/ring.ts";
import type { RingHandler, RingViews } from "../memory/ring.ts";
import type { RingPlace } from "../memory/ring-layout.ts";
import { TakenRecords } from "../memory/taken-records.ts";
import {
  FIRST_EXCHANGE_KIND,
  FRAGMENT_HEADER_BYTES,
  FRAGMENT_KIND,
  isOfGeneration,
  kindOf,
  unpackType,
} from "./exchange-layout.ts";
import { unpackLapped, type LappedNotice } from "./outgoing-records.ts";

/** The receiver of records from other members: a PubSub or a Link. */
export interface ExchangeHandler {
  /**
   * Handles one record. If it throws, only this record is affected, and the error is passed to
   * `onError`.
   *
   * @param bytes - shared memory or a buffer of the exchange; valid during the call only
   */
  onRecord(
    from: number,
    kindAndFlags: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
  /** Called in place of lost records, with their slots. */
  onLapped(from: number, slots: LappedNotice): void;
  /** Called with errors thrown by the other two handlers. */
  onError(error: unknown, from: number): void;
}

/**
 * Minimum that may be taken out, because a small ring would otherwise carry only its capacity per
 * turn.
 */
const MIN_TAKEN_BYTES = 65_536;

/** The receiving side of one ordered pair of members. */
export class Inbound {
  readonly #from: number;
  readonly #ring: RingConsumer;
  readonly #maxTakenBytes: number;
  readonly #taken = new TakenRecords();
  readonly #generations: Int32Array;
  readonly #counters: Counters;
  readonly #reassembly = new Reassembly();
  readonly #onRing: RingHandler;
  #handler: ExchangeHandler | undefined = undefined;
  #generation = 0;
  /** Size of the records that the last `drain` read (bytes). */
  drainedBytes = 0;

  constructor(
    from: number,
    views: RingViews,
    place: RingPlace,
    generations: Int32Array,
    counters: Counters,
  ) {
    this.#from = from;
    this.#ring = new RingConsumer(views, place);
    this.#maxTakenBytes = Math.max(place.capacityBytes, MIN_TAKEN_BYTES);
    this.#generations = generations;
    this.#counters = counters;
    this.#onRing = (type, bytes, offset, length, words) =>
      this.#take(type, bytes, offset, length, words);
  }

  get isEmpty(): boolean {
    return this.#taken.usedBytes === 0 && this.#ring.usedBytes() === 0;
  }

  /** True if the producer asked for room, and room is now available. */
  get isRoomWanted(): boolean {
    return this.#ring.isRoomWanted();
  }

  /**
   * Passes records to a handler, up to a limit, and up to about a quarter of the ring.
   *
   * @returns the number of records read (a fragment counts as one); 0 only if there were none
   */
  drain(handler: ExchangeHandler, limit: number): number {
    this.drainedBytes = 0;
    const usedBytes = this.#ring.usedBytes();
    if (usedBytes === 0 && this.#taken.usedBytes === 0) return 0;
    this.#counters.raise(COUNTER.ringHighWaterBytes, usedBytes);
    this.#handler = handler;
    this.#generation = Atomics.load(this.#generations, this.#from);
    const read = this.#taken.drain(this.#onRing, limit);
    return read > 0 ? read : this.#ring.drain(this.#onRing, limit);
  }

  /**
   * Takes records out of the ring if their producer asks for room, and keeps them for `drain`.
   * Must not be called from within `drain`.
   *
   * @returns whether any records were taken. If so, the producer has room, and must be woken
   */
  takeOut(): boolean {
    if (!this.#ring.isRoomAskedFor()) return false;
    const records = this.#ring.takeOut(this.#maxTakenBytes - this.#taken.usedBytes);
    if (records === undefined) return false;
    this.#taken.add(records);
    return true;
  }

  /** Goes on behind a record whose handler main has ended (`shard/forced-end`). */
  recover(): void {
    this.#ring.recover();
  }

  /** Discards the part of a large record that has arrived. */
  forget(): void {
    this.#reassembly.clear();
  }

  #take(
    packed: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    words: Int32Array,
  ): void {
    this.drainedBytes += length;
    if (!isOfGeneration(packed, this.#generation)) {
      this.#counters.add(COUNTER.droppedStale);
      return;
    }
    const type = unpackType(packed);
    if (kindOf(type) !== FRAGMENT_KIND) {
      this.#deliver(type, bytes, offset, length);
      return;
    }
    const reassembly = this.#reassembly;
    const outcome = reassembly.add(words, bytes, offset, length);
    if (outcome === "more") return;
    if (outcome === "stray") {
      this.#counters.add(COUNTER.droppedStale);
      return;
    }
    this.#deliver(reassembly.type, reassembly.bytes, 0, reassembly.length);
    reassembly.clear();
  }

  #deliver(type: number, bytes: Uint8Array, offset: number, length: number): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    try {
      if (kindOf(type) < FIRST_EXCHANGE_KIND) {
        handler.onRecord(this.#from, type, bytes, offset, length);
      } else {
        handler.onLapped(this.#from, unpackLapped(bytes, offset, length));
      }
    } catch (error) {
      handler.onError(error, this.#from);
    }
  }
}

/** A buffer larger than this is released after its record; a smaller one is kept for the next. */
const KEEP_BYTES = 262_144;

const NOTHING = new Uint8Array(0);

/** A large record that is arriving: its fragments, assembled in one buffer. */
class Reassembly {
  /** The record's bytes from 0 on, once it is complete. */
  bytes: Uint8Array = NOTHING;
  /** Bytes of the whole record. */
  length = 0;
  /** Kind and flags of the whole record. */
  type = 0;
  #filledBytes = 0;

  /**
   * Adds one fragment.
   *
   * @returns "complete" for the last one; "stray" for a fragment whose beginning was dropped
   */
  add(
    words: Int32Array,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): "more" | "complete" | "stray" {
    const start = words[(offset >> 2) + 1] as number;
    if (start === 0) {
      this.length = words[offset >> 2] as number;
      this.type = words[(offset >> 2) + 2] as number;
      this.#filledBytes = 0;
      if (this.bytes.length < this.length) this.bytes = new Uint8Array(this.length);
    }
    if (start !== this.#filledBytes || this.#filledBytes >= this.length) return "stray";
    const partOffset = offset + FRAGMENT_HEADER_BYTES;
    this.bytes.set(bytes.subarray(partOffset, offset + length), start);
    this.#filledBytes += length - FRAGMENT_HEADER_BYTES;
    return this.#filledBytes === this.length ? "complete" : "more";
  }

  /** Discards the parts of a record that have arrived. Also called after a complete record. */
  clear(): void {
    this.#filledBytes = 0;
    this.length = 0;
    if (this.bytes.length > KEEP_BYTES) this.bytes = NOTHING;
  }
}
