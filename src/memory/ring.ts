/**
 * A ring in shared memory, with one producer thread and one consumer thread.
 *
 * Runs on:  any thread; one RingProducer and one RingConsumer per ring.
 * Owns:     the producer writes records, the tail and wants-room; the consumer writes the head.
 * Order:    the producer writes a record's bytes before it stores the tail. The consumer loads the
 *           tail before it reads the record, and reads the record before it stores the head. The
 *           producer loads the head before it overwrites the record. Tail and head are Atomics, so
 *           everything done before a store is visible after a load that sees the store.
 * Full:     `claim` writes nothing and reports that the ring is full. It never waits.
 *           A producer that wants to sleep until there is room calls `askForRoom`, checks
 *           `freeBytes` again, and then sleeps. The consumer calls `isRoomWanted` after each drain
 *           and wakes the producer. Whichever store comes first, at least one side sees the
 *           other's.
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
 * Handles one record.
 *
 * @param bytes - the memory that contains the record; the record is valid only during the call
 * @param offset - offset of the payload in `bytes`, a multiple of 8
 * @param length - length of the payload (bytes)
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

/** Empties a ring. Neither side may use the ring at the same time. */
export function emptyRing(views: RingViews, place: RingPlace): void {
  const first = place.wordsOffset >> 2;
  Atomics.store(views.words, first + WANTS_ROOM_WORD, 0);
  Atomics.store(views.words, first + HEAD_WORD, Atomics.load(views.words, first + TAIL_WORD));
}

/** The writing end of a ring. Used by one thread only. */
export class RingProducer {
  readonly views: RingViews;
  readonly capacityBytes: number;
  /** Maximum payload of a record. */
  readonly maxPayloadBytes: number;
  readonly #words: Int32Array;
  readonly #recordsOffset: number;
  readonly #mask: number;
  readonly #tailWord: number;
  readonly #headWord: number;
  readonly #wantsRoomWord: number;
  /** The tail, which only this thread writes. */
  #tail: number;
  /** The tail after the claimed record. */
  #claimedTail: number;
  /** The head as last loaded. The head only moves forward, so the room is never overestimated. */
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
   * Claims room for one record. The caller writes the payload and then calls `commit`. A claim that
   * has not been committed is discarded by the next claim.
   *
   * @param type - type of the payload; any int32 except PADDING_TYPE
   * @param length - length of the payload (bytes); at most `maxPayloadBytes`
   * @returns offset of the payload in `views.bytes`, a multiple of 8; -1 if there is too little
   *   room
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

  /** Finishes the claimed record, which the next `commit` publishes together with the one claimed then. */
  keep(): void {
    this.#tail = this.#claimedTail;
  }

  /** Publishes the claimed record, and those that were kept, to the consumer. */
  commit(): void {
    this.keep();
    Atomics.store(this.#words, this.#tailWord, this.#tail);
  }

  /** Loads the consumer's position. */
  head(): number {
    this.#headSeen = Atomics.load(this.#words, this.#headWord);
    return this.#headSeen;
  }

  /** Loads the head and returns the number of free bytes. */
  freeBytes(): number {
    return this.capacityBytes - ((this.#tail - this.head()) | 0);
  }

  /** Loads the head and reports whether a quarter of the ring is free, enough for any record. */
  hasRoom(): boolean {
    return this.freeBytes() >= this.capacityBytes >> 2;
  }

  /** Requests that the consumer wake this producer once a quarter of the ring is free. */
  askForRoom(): void {
    Atomics.store(this.#words, this.#wantsRoomWord, 1);
  }

  /** Withdraws the request made by `askForRoom`. */
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
  #isDraining = false;
  /** In a drain: the end of the record that is handled. */
  #position = 0;

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
   * Reads records in the order in which they were written. Stops at the limit or after a quarter of
   * the ring, so that the producer regains room early. To read all records, call it until it
   * returns 0.
   *
   * @param handler - called for each record; an exception ends the drain after that record
   * @param limit - maximum number of records to read
   * @returns the number of records read; 0 only if the ring was empty
   */
  drain(handler: RingHandler, limit: number): number {
    const words = this.#words;
    const head = Atomics.load(words, this.#headWord);
    const tail = Atomics.load(words, this.#tailWord);
    const quarter = this.capacityBytes >> 2;
    let position = head;
    let count = 0;
    if (position === tail) return 0;

    this.#isDraining = true;
    try {
      while (position !== tail && count < limit && ((position - head) | 0) < quarter) {
        const offset = this.#recordsOffset + (position & this.#mask);
        const length = words[offset >> 2] as number;
        const type = words[(offset >> 2) + 1] as number;
        position = (position + align(length)) | 0;
        if (type === PADDING_TYPE) continue;
        count += 1;
        this.#position = position;
        handler(type, this.#bytes, offset + HEADER_BYTES, length - HEADER_BYTES, words);
      }
    } finally {
      this.#isDraining = false;
      Atomics.store(words, this.#headWord, position);
    }
    return count;
  }

  /** Removes the records of a drain that was ended together with its handler, without `finally`. */
  recover(): void {
    if (!this.#isDraining) return;
    this.#isDraining = false;
    Atomics.store(this.#words, this.#headWord, this.#position);
  }

  /**
   * Removes records from the ring without handling them, so that the producer regains their room.
   * Must not be called during a drain of this ring.
   *
   * @param limitBytes - maximum number of bytes to remove, including headers and padding
   * @returns a copy of whole records in order, as laid out in the ring; undefined if the ring is
   *   empty or the first record exceeds the limit
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

  /** Returns the number of bytes waiting to be read, including headers and padding. */
  usedBytes(): number {
    const tail = Atomics.load(this.#words, this.#tailWord);
    return (tail - Atomics.load(this.#words, this.#headWord)) | 0;
  }

  /** Reports whether the producer has requested room, even if there is none yet. */
  isRoomAskedFor(): boolean {
    return Atomics.load(this.#words, this.#wantsRoomWord) !== 0;
  }

  /** Reports whether the producer has requested room and a quarter of the ring is free. */
  isRoomWanted(): boolean {
    if (!this.isRoomAskedFor()) return false;
    return this.capacityBytes - this.usedBytes() >= this.capacityBytes >> 2;
  }

  /** Returns the total size of the whole records from the head that fit within a limit (bytes). */
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
