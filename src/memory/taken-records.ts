/**
 * Records that were taken out of a ring unread, in their order, until their turn comes.
 *
 * Runs on: the consumer's thread, in memory of its own.
 * Full:    it has no bound; who takes records out looks at `usedBytes` first.
 */

import type { RingHandler } from "./ring.ts";
import { HEADER_BYTES, PADDING_TYPE, align } from "./ring-layout.ts";

interface Block {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
}

/** What was taken out of one ring. */
export class TakenRecords {
  readonly #blocks: Block[] = [];
  /** Offset of the next record in the first block. */
  #offset = 0;
  #usedBytes = 0;

  /** Bytes that are kept here, until the last record of their block is read. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Adds what `RingConsumer.takeOut` gave, behind what is here. Its bytes are ours now. */
  add(bytes: Uint8Array): void {
    this.#blocks.push({ bytes, words: new Int32Array(bytes.buffer) });
    this.#usedBytes += bytes.length;
  }

  /**
   * Reads records in the order they were written.
   *
   * @param handler - called for each record; what it throws ends the drain, with that record read
   * @param limit - the most records to read
   * @returns how many records were read
   */
  drain(handler: RingHandler, limit: number): number {
    let count = 0;
    for (let block = this.#blocks[0]; block !== undefined && count < limit;) {
      const { bytes, words } = block;
      const offset = this.#offset;
      const length = words[offset >> 2] as number;
      const type = words[(offset >> 2) + 1] as number;
      // Moved on first: so it is read, whatever the handler does.
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
