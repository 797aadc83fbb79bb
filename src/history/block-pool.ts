/**
 * The blocks of a slab store: takes, releases and links them, and copies bytes in and out.
 *
 * Slabs are allocated when they are needed, and kept. A released block is the first to be taken
 * again. JavaScript objects exist for slabs only, so their number does not depend on what is kept.
 *
 * Runs on: the keeper's thread.
 * Owns:    the slabs and links. No other thread has access to them.
 * Full:    `available` is 0; `take` throws. The store makes room before it takes blocks.
 */

import { makeError } from "../errors.ts";
import type { Scratch } from "./scratch.ts";
import {
  BLOCK_BYTES,
  BYTES_SHIFT,
  CELLS_PER_BLOCK,
  DOUBLES_SHIFT,
  LINK_BYTES,
  NONE,
  WORDS_SHIFT,
} from "./slab-layout.ts";

/** One ArrayBuffer of blocks, with the links of these blocks. */
interface Slab {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  readonly links: Int32Array;
}

/** Up to this size, a loop copies faster than a view can be made (bytes). */
const LOOP_BYTES = 512;
const WORD_BYTES = 4;

/** Blocks of equal size, and a list of those that are free. */
export class BlockPool {
  readonly #slabs: Slab[] = [];
  readonly #maxBlocks: number;
  readonly #slabShift: number;
  readonly #slabMask: number;
  /** Number of blocks that have been taken at least once. */
  #begun = 0;
  /** First block of the list of released ones. */
  #free = NONE;
  #used = 0;

  /**
   * @param maxBlocks - maximum number of blocks
   * @param slabShift - binary logarithm of the number of blocks in a slab
   */
  constructor(maxBlocks: number, slabShift: number) {
    this.#maxBlocks = maxBlocks;
    this.#slabShift = slabShift;
    this.#slabMask = 2 ** slabShift - 1;
  }

  /** Number of blocks in use. */
  get used(): number {
    return this.#used;
  }

  /** Number of blocks that can be taken. */
  get available(): number {
    return this.#maxBlocks - this.#used;
  }

  /** Size of all slabs with their links (bytes). */
  get allocatedBytes(): number {
    let blocks = 0;
    for (const { links } of this.#slabs) blocks += links.length;
    return blocks * (BLOCK_BYTES + LINK_BYTES);
  }

  /**
   * Takes a block and ends its chain there. Its bytes are not cleared.
   *
   * @throws SIM_ERR_INTERNAL if none is available
   */
  take(): number {
    const block = this.#free === NONE ? this.#begin() : this.#free;
    if (block === this.#free) this.#free = this.next(block);
    this.#used += 1;
    this.setNext(block, NONE);
    return block;
  }

  /** Returns a block to the pool. Its bytes and its link may be overwritten from now on. */
  release(block: number): void {
    this.setNext(block, this.#free);
    this.#free = block;
    this.#used -= 1;
  }

  /** Returns a chain to the pool, from a block to the end. */
  releaseChain(first: number): void {
    for (let block = first; block !== NONE;) {
      const next = this.next(block);
      this.release(block);
      block = next;
    }
  }

  /** Returns the next block of a chain, or NONE. */
  next(block: number): number {
    return this.#slabOf(block).links[block & this.#slabMask] as number;
  }

  /** Links a block to the next one of its chain. */
  setNext(block: number, next: number): void {
    this.#slabOf(block).links[block & this.#slabMask] = next;
  }

  /** Returns a word of a block. */
  word(block: number, word: number): number {
    const at = ((block & this.#slabMask) << WORDS_SHIFT) + word;
    return this.#slabOf(block).words[at] as number;
  }

  /** Changes a word of a block. */
  setWord(block: number, word: number, value: number): void {
    this.#slabOf(block).words[((block & this.#slabMask) << WORDS_SHIFT) + word] = value;
  }

  /** Returns a double of a block. */
  double(block: number, double: number): number {
    const at = ((block & this.#slabMask) << DOUBLES_SHIFT) + double;
    return this.#slabOf(block).doubles[at] as number;
  }

  /** Changes a double of a block. */
  setDouble(block: number, double: number, value: number): void {
    this.#slabOf(block).doubles[((block & this.#slabMask) << DOUBLES_SHIFT) + double] = value;
  }

  /** Returns the bytes of the slab that contains a block; the block begins at `startOf`. */
  bytesOf(block: number): Uint8Array {
    return this.#slabOf(block).bytes;
  }

  /** Returns the index of a block's first byte in `bytesOf`. */
  startOf(block: number): number {
    return (block & this.#slabMask) << BYTES_SHIFT;
  }

  /**
   * Returns how many of the bytes of a chain are contiguous.
   *
   * @param cell - where the bytes begin, below CELLS_PER_BLOCK
   * @param length - number of bytes that matter
   * @returns a number from 1 to `length`
   */
  contiguous(block: number, cell: number, length: number): number {
    let bytes = (CELLS_PER_BLOCK - cell) << 4;
    for (let at = block; bytes < length; bytes += BLOCK_BYTES) {
      const next = this.next(at);
      // The first block of a slab follows the last one of another slab by number only.
      if (next !== at + 1 || (next & this.#slabMask) === 0) break;
      at = next;
    }
    return Math.min(bytes, length);
  }

  /** Copies bytes into a chain that is long enough. */
  copyIn(block: number, cell: number, source: Uint8Array): void {
    const { length } = source;
    let into = block;
    let done = 0;
    for (let at = cell; done < length; at = 0) {
      const count = this.contiguous(into, at, length - done);
      copyBytes(source, done, this.bytesOf(into), this.startOf(into) + (at << 4), count);
      done += count;
      if (done < length) into = this.#blockAfter(into, at, count);
    }
  }

  /** Copies bytes out of a chain, to the start of `target`, which is rounded up to whole words. */
  copyOut(block: number, cell: number, length: number, target: Scratch): void {
    let from = block;
    let done = 0;
    for (let at = cell; done < length; at = 0) {
      const count = this.contiguous(from, at, length - done);
      const start = this.startOf(from) + (at << 4);
      if (count > LOOP_BYTES) {
        target.bytes.set(this.bytesOf(from).subarray(start, start + count), done);
      } else copyWords(this.#slabOf(from).words, start >> 2, target.words, done >> 2, count);
      done += count;
      if (done < length) from = this.#blockAfter(from, at, count);
    }
  }

  /** Returns the block that follows `count` contiguous bytes, which end with a block. */
  #blockAfter(block: number, cell: number, count: number): number {
    return this.next(block + (((cell << 4) + count - 1) >> BYTES_SHIFT));
  }

  /** Takes a block for the first time. */
  #begin(): number {
    const block = this.#begun;
    if (block >= this.#maxBlocks) {
      throw makeError("SIM_ERR_INTERNAL", `no block is free, used=${this.#used}`);
    }
    if ((block & this.#slabMask) === 0) {
      this.#slabs.push(makeSlab(Math.min(this.#slabMask + 1, this.#maxBlocks - block)));
    }
    this.#begun += 1;
    return block;
  }

  #slabOf(block: number): Slab {
    return this.#slabs[block >>> this.#slabShift] as Slab;
  }
}

function makeSlab(blocks: number): Slab {
  const buffer = new ArrayBuffer(blocks * BLOCK_BYTES);
  return {
    bytes: new Uint8Array(buffer),
    words: new Int32Array(buffer),
    doubles: new Float64Array(buffer),
    links: new Int32Array(blocks),
  };
}

function copyBytes(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  count: number,
): void {
  if (count > LOOP_BYTES) {
    target.set(source.subarray(from, from + count), to);
    return;
  }
  for (let at = 0; at < count; at += 1) target[to + at] = source[from + at] as number;
}

function copyWords(
  source: Int32Array,
  from: number,
  target: Int32Array,
  to: number,
  bytes: number,
): void {
  const words = Math.ceil(bytes / WORD_BYTES);
  for (let at = 0; at < words; at += 1) target[to + at] = source[from + at] as number;
}
