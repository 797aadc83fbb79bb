/**
 * Records that were removed from a ring early and wait, in order, to be handled.
 *
 * Runs on: the consumer's thread, in its own memory.
 * Full:    the size is unlimited; the caller checks `usedBytes` before it removes more records.
 */

import type { RingHandler } from "./ring.ts";
import { HEADER_BYTES, PADDING_TYPE, align } from "./ring-layout.ts";

interface Block {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
}

/** The records removed from one ring. */
export class TakenRecords {
  readonly #blocks: Block[] = [];
  /** Offset of the next record in the first block. */
  #offset = 0;
  #usedBytes = 0;

  /** Number of bytes stored. A block counts until its last record has been read. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Appends a block returned by `RingConsumer.takeOut`. Takes ownership of the bytes. */
  add(bytes: Uint8Array): void {
    this.#blocks.push({ bytes, words: new Int32Array(bytes.buffer) });
    this.#usedBytes += bytes.length;
  }

  /**
   * Reads records in the order in which they were written.
   *
   * @param handler - called for each record; an exception ends the drain after that record
   * @param limit - maximum number of records to read
   * @returns the number of records read
   */
  drain(handler: RingHandler, limit: number): number {
    let count = 0;
    for (let block = this.#blocks[0]; block !== undefined && count < limit;) {
      const { bytes, words } = block;
      const offset = this.#offset;
      const length = words[offset >> 2] as number;
      const type = words[(offset >> 2) + 1] as number;
      // Advance first, so that the record counts as read even if the handler throws.
      this.#offset += align(length);
      if (this.#offset === bytes.length) this.#nextBlock(bytes.length);
      if (type !== PADDING_TYPE) {
        count += 1;
        handler(type, bytes, offset + HEADER_BYTES, length - HEADER_BYTES, words);
      }
      block = this.#blocks[0];
    }
    return count;
  }

  #nextBlock(usedBytes: number): void {
    this.#blocks.shift();
    this.#offset = 0;
    this.#usedBytes -= usedBytes;
  }
}
