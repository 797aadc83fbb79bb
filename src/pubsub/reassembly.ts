/**
 * Puts the fragments of one producer's large records together again, in one buffer.
 *
 * Runs on: the consumer's thread.
 * Order:   a producer's fragments arrive in order and none between them; the fragments of
 *          other producers have a reassembly of their own.
 */

import { FRAGMENT_HEADER_BYTES } from "./exchange-layout.ts";

/** A larger buffer is let go after its record, a smaller one is kept for the next. */
const KEEP_BYTES = 262_144;

const NOTHING = new Uint8Array(0);

/** One producer's large record, while it arrives. */
export class Reassembly {
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
   * @returns "complete" with the last; "stray" for one whose beginning was dropped
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

  /** Forgets what has arrived of a record. To be called after a complete one too. */
  clear(): void {
    this.#filledBytes = 0;
    this.length = 0;
    if (this.bytes.length > KEEP_BYTES) this.bytes = NOTHING;
  }
}
