/**
 * A ring from one producer thread to one consumer thread, in shared memory.
 *
 * Runs on:  any thread; one RingProducer and one RingConsumer per ring.
 * Owns:     the producer writes records, the tail and wants-room; the consumer writes the head.
 * Order:    the producer writes a record's bytes before it stores the tail; the consumer loads the
 *           tail before it reads them. The consumer reads a record before it stores the head; the
 *           producer loads the head before it writes there again. Tail and head are Atomics, so
 *           everything done before a store is visible after the load that sees it.
 * Full:     `claim` and `tryWrite` write nothing and report it. They never wait. A producer that
 *           wants to sleep until there is room calls `askForRoom`, checks `freeBytes` again, and
 *           then sleeps. The consumer calls `isRoomWanted` after each drain and wakes the producer.
 *           Whichever store comes first, at least one side sees the other's.
 */

import { makeError } from "../errors.ts";
import {
  HEADER_BYTES,
  HEAD_WORD,
  PADDING_TYPE,
  TAIL_WORD,
  WANTS_ROOM_WORD,
  align,
  checkCapacity,
  maxPayloadBytes,
} from "./ring-layout.ts";
import type { RingPlace } from "./ring-layout.ts";

/** Views of a SharedArrayBuffer, shared by all rings in it. */
export interface RingViews {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
}

/**
 * Receives one record.
 *
 * @param bytes - the memory that contains the record; the record is valid only during the call
 * @param offset - offset of the payload in `bytes`, a multiple of 8
 * @param length - bytes of the payload
 * @param words - the same memory as `bytes`
 */
export type RingHandler = (
  type: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  words: Int32Array,
) => void;

/** Creates the views of a SharedArrayBuffer that contains rings. */
export function makeRingViews(shared: SharedArrayBuffer): RingViews {
  return { words: new Int32Array(shared), bytes: new Uint8Array(shared) };
}

/** Empties a ring. Neither side may be using it. */
export function emptyRing(views: RingViews, place: RingPlace): void {
  const first = place.wordsOffset >> 2;
  Atomics.store(views.words, first + WANTS_ROOM_WORD, 0);
  Atomics.store(views.words, first + HEAD_WORD, Atomics.load(views.words, first + TAIL_WORD));
}

/** The writing end of a ring. Used by one thread only. */
export class RingProducer {
  readonly views: RingViews;
  readonly capacityBytes: number;
  /** Largest payload of a record. */
  readonly maxPayloadBytes: number;
  readonly #words: Int32Array;
  readonly #recordsOffset: number;
  readonly #mask: number;
  readonly #tailWord: number;
  readonly #headWord: number;
  readonly #wantsRoomWord: number;
  /** The tail; no other thread writes it. */
  #tail: number;
  /** The tail after the claimed record. */
  #claimedTail: number;
  /** The head when last loaded. It only moves forward, so this never overstates the room. */
  #headSeen: number;

  constructor(views: RingViews, place: RingPlace) {
    checkCapacity(place.capacityBytes);
    this.views = views;
    this.capacityBytes = place.capacityBytes;
    this.maxPayloadBytes = maxPayloadBytes(place.capacityBytes);
    this.#words = views.words;
    this.#recordsOffset = place.recordsOffset;
    this.#mask = place.capacityBytes - 1;
    this.#tailWord = (place.wordsOffset >> 2) + TAIL_WORD;
    this.#headWord = (place.wordsOffset >> 2) + HEAD_WORD;
    this.#wantsRoomWord = (place.wordsOffset >> 2) + WANTS_ROOM_WORD;
    this.#tail = Atomics.load(this.#words, this.#tailWord);
    this.#claimedTail = this.#tail;
    this.#headSeen = Atomics.load(this.#words, this.#headWord);
  }

  /**
   * Claims room for one record. The caller fills it and then calls `commit`. A claim that is not
   * committed is discarded by the next claim.
   *
   * @param type - type of the payload; any int32 except PADDING_TYPE
   * @param length - bytes of the payload; at most `maxPayloadBytes`
   * @returns offset of the payload in `views.bytes`, a multiple of 8; -1 if the ring is too full
   */
  claim(type: number, length: number): number {
    if (length > this.maxPayloadBytes) {
      throw makeError(
        "SIM_ERR_INTERNAL",
        `a record must have at most ${this.maxPayloadBytes} (bytes), got ${length}`,
      );
    }
    const required = align(HEADER_BYTES + length);
    const tail = this.#tail;
    const toEnd = this.capacityBytes - (tail & this.#mask);
    const padding = required > toEnd ? toEnd : 0;
    if (padding + required > this.capacityBytes - ((tail - this.#headSeen) | 0)) {
      if (padding + required > this.freeBytes()) return -1;
    }

    let word = (this.#recordsOffset + (tail & this.#mask)) >> 2;
    if (padding > 0) {
      this.#words[word] = padding;
      this.#words[word + 1] = PADDING_TYPE;
      word = this.#recordsOffset >> 2;
    }
    this.#words[word] = HEADER_BYTES + length;
    this.#words[word + 1] = type;
    this.#claimedTail = (tail + padding + required) | 0;
    return (word << 2) + HEADER_BYTES;
  }

  /** Publishes the claimed record to the consumer. */
  commit(): void {
    this.#tail = this.#claimedTail;
    Atomics.store(this.#words, this.#tailWord, this.#tail);
  }

  /** Writes one record if there is room for all of it. @returns false if there is not */
  tryWrite(type: number, payload: Uint8Array): boolean {
    const offset = this.claim(type, payload.length);
    if (offset < 0) return false;
    this.views.bytes.set(payload, offset);
    this.commit();
    return true;
  }

  /** Loads the consumer's position. */
  head(): number {
    this.#headSeen = Atomics.load(this.#words, this.#headWord);
    return this.#headSeen;
  }

  /** Loads the head and returns how many bytes are free. */
  freeBytes(): number {
    return this.capacityBytes - ((this.#tail - this.head()) | 0);
  }

  /** Loads the head and reports whether a quarter is free, which is room for any record. */
  hasRoom(): boolean {
    return this.freeBytes() >= this.capacityBytes >> 2;
  }

  /** Asks the consumer to wake this producer once a quarter is free. */
  askForRoom(): void {
    Atomics.store(this.#words, this.#wantsRoomWord, 1);
  }

  /** Withdraws `askForRoom`. */
  stopAskingForRoom(): void {
    Atomics.store(this.#words, this.#wantsRoomWord, 0);
  }
}

/** The reading end of a ring. Used by one thread only. */
export class RingConsumer {
  readonly capacityBytes: number;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #recordsOffset: number;
  readonly #mask: number;
  readonly #tailWord: number;
  readonly #headWord: number;
  readonly #wantsRoomWord: number;

  constructor(views: RingViews, place: RingPlace) {
    checkCapacity(place.capacityBytes);
    this.capacityBytes = place.capacityBytes;
    this.#words = views.words;
    this.#bytes = views.bytes;
    this.#recordsOffset = place.recordsOffset;
    this.#mask = place.capacityBytes - 1;
    this.#tailWord = (place.wordsOffset >> 2) + TAIL_WORD;
    this.#headWord = (place.wordsOffset >> 2) + HEAD_WORD;
    this.#wantsRoomWord = (place.wordsOffset >> 2) + WANTS_ROOM_WORD;
  }

  /**
   * Reads records in the order they were written. Stops at the limit or after a quarter of the
   * ring, so that the producer gets room back early. To read everything, call it until it
   * returns 0.
   *
   * @param handler - called for each record; an exception ends the drain after that record
   * @param limit - the most records to read
   * @returns how many records were read; 0 only if there were none
   */
  drain(handler: RingHandler, limit: number): number {
    const words = this.#words;
    const head = Atomics.load(words, this.#headWord);
    const tail = Atomics.load(words, this.#tailWord);
    const quarter = this.capacityBytes >> 2;
    let position = head;
    let count = 0;
    if (position === tail) return 0;

    try {
      while (position !== tail && count < limit && ((position - head) | 0) < quarter) {
        const offset = this.#recordsOffset + (position & this.#mask);
        const length = words[offset >> 2] as number;
        const type = words[(offset >> 2) + 1] as number;
        position = (position + align(length)) | 0;
        if (type === PADDING_TYPE) continue;
        count += 1;
        handler(type, this.#bytes, offset + HEADER_BYTES, length - HEADER_BYTES, words);
      }
    } finally {
      Atomics.store(words, this.#headWord, position);
    }
    return count;
  }

  /**
   * Takes records out of the ring without handling them, so that the producer gets its room back.
   * Must not be called during a drain of this ring.
   *
   * @param limitBytes - the most bytes to take, including headers and padding
   * @returns a copy of whole records in order, as laid out in the ring; undefined if there are
   *   none or the first one exceeds the limit
   */
  takeOut(limitBytes: number): Uint8Array | undefined {
    const head = Atomics.load(this.#words, this.#headWord);
    const length = this.#recordsWithin(head, limitBytes);
    if (length === 0) return undefined;
    const taken = new Uint8Array(length);
    const first = this.#recordsOffset + (head & this.#mask);
    const toEnd = Math.min(length, this.capacityBytes - (head & this.#mask));
    taken.set(this.#bytes.subarray(first, first + toEnd));
    taken.set(
      this.#bytes.subarray(this.#recordsOffset, this.#recordsOffset + length - toEnd),
      toEnd,
    );
    Atomics.store(this.#words, this.#headWord, (head + length) | 0);
    return taken;
  }

  /** Returns how many bytes wait to be read, including headers and padding. */
  usedBytes(): number {
    const tail = Atomics.load(this.#words, this.#tailWord);
    return (tail - Atomics.load(this.#words, this.#headWord)) | 0;
  }

  /** Reports whether the producer asked for room, even if there is none yet. */
  isRoomAskedFor(): boolean {
    return Atomics.load(this.#words, this.#wantsRoomWord) !== 0;
  }

  /** Reports whether the producer asked for room and a quarter is free. */
  isRoomWanted(): boolean {
    if (!this.isRoomAskedFor()) return false;
    return this.capacityBytes - this.usedBytes() >= this.capacityBytes >> 2;
  }

  /** Returns the bytes of the whole records, from the head on, that fit within a limit. */
  #recordsWithin(head: number, limitBytes: number): number {
    const usedBytes = (Atomics.load(this.#words, this.#tailWord) - head) | 0;
    if (usedBytes <= limitBytes) return usedBytes;
    let bytes = 0;
    for (;;) {
      const offset = this.#recordsOffset + ((head + bytes) & this.#mask);
      const next = bytes + align(this.#words[offset >> 2] as number);
      if (next > limitBytes) return bytes;
      bytes = next;
    }
  }
}
