/**
 * The way from one other member to this: its ring, and the large record that arrives in it.
 *
 * Runs on: the consumer's thread.
 * Owns:    the consumer's side of the ring.
 * Order:   what was taken out of the ring is handed over before what is in it.
 * Full:    at most a ring's worth is taken out; the rest stays in the ring, whose producer then
 *          finds no room, as with any member that does not read.
 */

import type { Counters } from "../memory/counters.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { RingConsumer } from "../memory/ring.ts";
import type { RingHandler, RingViews } from "../memory/ring.ts";
import type { RingPlace } from "../memory/ring-layout.ts";
import { TakenRecords } from "../memory/taken-records.ts";
import {
  FIRST_EXCHANGE_KIND,
  FRAGMENT_KIND,
  isOfGeneration,
  kindOf,
  unpackType,
} from "./exchange-layout.ts";
import { unpackLapped } from "./lapped-slots.ts";
import type { LappedNotice } from "./lapped-slots.ts";
import { Reassembly } from "./reassembly.ts";

/** What takes the records that other members wrote. */
export interface ExchangeHandler {
  /**
   * Takes one record. What it throws costs this record only, and goes to `onError`.
   *
   * @param bytes - shared memory or a buffer of the exchange's; valid during the call only
   */
  onRecord(
    from: number,
    kindAndFlags: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
  /** Hears that records of these slots were lost, between those before and those after. */
  onLapped(from: number, slots: LappedNotice): void;
  /** Hears what the other two threw. */
  onError(error: unknown, from: number): void;
}

/** The receiving side of one ordered pair of members. */
export class Inbound {
  readonly #from: number;
  readonly #ring: RingConsumer;
  readonly #taken = new TakenRecords();
  readonly #generations: Int32Array;
  readonly #counters: Counters;
  readonly #reassembly = new Reassembly();
  readonly #onRing: RingHandler;
  #handler: ExchangeHandler | undefined = undefined;
  #generation = 0;

  constructor(
    from: number,
    views: RingViews,
    place: RingPlace,
    generations: Int32Array,
    counters: Counters,
  ) {
    this.#from = from;
    this.#ring = new RingConsumer(views, place);
    this.#generations = generations;
    this.#counters = counters;
    this.#onRing = (type, bytes, offset, length, words) =>
      this.#take(type, bytes, offset, length, words);
  }

  get isEmpty(): boolean {
    return this.#taken.usedBytes === 0 && this.#ring.usedBytes() === 0;
  }

  /** Whether the producer asked for room and has it now. */
  get isRoomWanted(): boolean {
    return this.#ring.isRoomWanted();
  }

  /**
   * Hands over records, up to a limit, and to about a quarter of the ring.
   *
   * @returns how many were read (a fragment counts as one); 0 only where there were none
   */
  drain(handler: ExchangeHandler, limit: number): number {
    const usedBytes = this.#ring.usedBytes();
    if (usedBytes === 0 && this.#taken.usedBytes === 0) return 0;
    this.#counters.raise(COUNTER.ringHighWaterBytes, usedBytes);
    this.#handler = handler;
    this.#generation = Atomics.load(this.#generations, this.#from);
    const read = this.#taken.drain(this.#onRing, limit);
    return read > 0 ? read : this.#ring.drain(this.#onRing, limit);
  }

  /**
   * Takes records out of the ring, so that their producer has room, and keeps them for `drain`.
   * Not to be called from within `drain`.
   *
   * @returns whether there were any to take, and a bound to take them to
   */
  takeOut(): boolean {
    const records = this.#ring.takeOut(this.#ring.capacityBytes - this.#taken.usedBytes);
    if (records === undefined) return false;
    this.#taken.add(records);
    return true;
  }

  /** Forgets the half of a large record that has arrived. */
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
