/**
 * Memory to which bytes are copied that are not contiguous in their blocks.
 *
 * Runs on: the keeper's thread.
 * Full:    it grows to the largest message that was ever copied, and is not part of the store's bound.
 */

import { BLOCK_BYTES } from "./slab-layout.ts";

/** A buffer that grows as needed. */
export class Scratch {
  bytes = new Uint8Array(BLOCK_BYTES);
  words = new Int32Array(this.bytes.buffer);

  /** Makes room for a number of bytes. Discards the content. */
  hold(length: number): void {
    if (length <= this.bytes.length) return;
    this.bytes = new Uint8Array(2 ** Math.ceil(Math.log2(length)));
    this.words = new Int32Array(this.bytes.buffer);
  }
}
