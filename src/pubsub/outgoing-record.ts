/**
 * A record on its way into rings: the caller's scratch buffer, or a copy that waits.
 *
 * Runs on: the producer's thread.
 */

import type { RingViews } from "../memory/ring.ts";

/** Up to here a loop over words copies faster than making a subarray (tried on Node 20, x64). */
const WORD_COPY_BYTES = 256;

/** Slot of a record that belongs to no topic, and is never lapped. */
export const CONTROL_SLOT = -1;

/** What a record in a queue costs beside its bytes, about: the objects that hold it. */
const QUEUED_OVERHEAD_BYTES = 256;

/** Gives what a record of this length counts against the bounds of a queue. */
export function queuedBytes(length: number): number {
  return length + QUEUED_OVERHEAD_BYTES;
}

/** One record and where it belongs. An exchange has one for all that it publishes. */
export class OutgoingRecord {
  /** Kind and flags. */
  type = 0;
  /** Slot of the index, to be told if the record is lost; or CONTROL_SLOT. */
  slot = CONTROL_SLOT;
  length = 0;
  /** How many queues hold this record. */
  waiters = 0;
  /** The copy of this record that waits in queues, once there is one. */
  waiting: OutgoingRecord | undefined = undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  /** The same bytes as words, where they are aligned. */
  #words: Int32Array = new Int32Array(0);

  /** Points at other bytes. Quick for the same buffer again, so callers keep one. */
  set(bytes: Uint8Array, length: number): void {
    this.length = length;
    this.waiting = undefined;
    if (bytes === this.#bytes) return;
    this.#bytes = bytes;
    const words = (bytes.byteOffset & 3) === 0 ? bytes.byteLength >> 2 : 0;
    this.#words = new Int32Array(bytes.buffer, words === 0 ? 0 : bytes.byteOffset, words);
  }

  /** Copies a part into a ring, where its claim is a multiple of 4 and has room for whole words. */
  copyTo(views: RingViews, offset: number, start: number, length: number): void {
    const words = (length + 3) >> 2;
    if (length > WORD_COPY_BYTES || start !== 0 || words > this.#words.length) {
      views.bytes.set(this.#bytes.subarray(start, start + length), offset);
      return;
    }
    const first = offset >> 2;
    for (let word = 0; word < words; word += 1) {
      views.words[first + word] = this.#words[word] as number;
    }
  }

  /** Gives a copy that outlives the caller's buffer; the same one for all queues. */
  copyToWait(): OutgoingRecord {
    if (this.waiting !== undefined) return this.waiting;
    const copy = new OutgoingRecord();
    copy.type = this.type;
    copy.slot = this.slot;
    copy.length = this.length;
    // Not slice: a Buffer's would be a view of the caller's bytes.
    copy.#bytes = new Uint8Array(this.length);
    copy.#bytes.set(this.#bytes.subarray(0, this.length));
    this.waiting = copy;
    return copy;
  }
}
