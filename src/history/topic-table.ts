/**
 * The topics of a slab store: finds them by name, and orders them by silence.
 *
 * An entry is a block, so a topic is no JavaScript object. Entries with the same bucket are a list.
 * Another list, through all entries, has the topic that was silent longest first.
 *
 * Runs on: the keeper's thread.
 * Owns:    in entries, the words of the name and of both lists. The store and `MessageLog` own the rest.
 * Full:    `add` needs `blocksFor` blocks of the pool; the store makes room before.
 */

import { topicHash } from "../memory/topic-hash.ts";
import type { BlockPool } from "./block-pool.ts";
import { Scratch } from "./scratch.ts";
import { BLOCK_BYTES, CELL_BYTES, ENTRY, ENTRY_BYTES, NONE } from "./slab-layout.ts";

const LAST_NARROW_UNIT = 0xff;

/** Entries of topics. An entry is named by its block. */
export class TopicTable {
  readonly #pool: BlockPool;
  readonly #seed: number;
  /** First entry of each bucket. */
  readonly #buckets: Int32Array;
  readonly #scratch = new Scratch();
  #silentLongest = NONE;
  #newest = NONE;
  /** The last of those at the start of the order that were never touched. */
  #lastUntouched = NONE;
  #cursor = NONE;
  #count = 0;

  /**
   * @param buckets - a power of two
   * @param seed - seed of the topic hash, so that others cannot choose topics of the same bucket
   */
  constructor(pool: BlockPool, buckets: number, seed: number) {
    this.#pool = pool;
    this.#seed = seed;
    this.#buckets = new Int32Array(buckets).fill(NONE);
  }

  /** Number of topics. */
  get count(): number {
    return this.#count;
  }

  /** The topic that was silent longest, or NONE. */
  get silentLongest(): number {
    return this.#silentLongest;
  }

  /** Returns the topic that has been silent for less long than this one and longer than all others. */
  newer(entry: number): number {
    return this.#pool.word(entry, ENTRY.newer);
  }

  /** Returns the entry of a topic, or NONE. Allocates nothing. */
  find(topic: string): number {
    const hash = topicHash(this.#seed, topic);
    let entry = this.#buckets[hash & (this.#buckets.length - 1)] as number;
    while (entry !== NONE) {
      if (this.#pool.word(entry, ENTRY.hash) === hash && this.#isNamed(entry, topic)) break;
      entry = this.#pool.word(entry, ENTRY.sameBucket);
    }
    return entry;
  }

  /** Returns the number of blocks that `add` takes. */
  blocksFor(topic: string): number {
    return Math.ceil((ENTRY_BYTES + topic.length * unitBytesOf(topic)) / BLOCK_BYTES);
  }

  /** Adds a topic that is not in the table, behind all others that were never touched, and before those that were. */
  add(topic: string): number {
    const pool = this.#pool;
    const entry = pool.take();
    const hash = topicHash(this.#seed, topic);
    const bucket = hash & (this.#buckets.length - 1);
    pool.setWord(entry, ENTRY.hash, hash);
    pool.setWord(entry, ENTRY.sameBucket, this.#buckets[bucket] as number);
    this.#buckets[bucket] = entry;
    this.#writeName(entry, topic);
    this.#link(entry, this.#lastUntouched);
    this.#lastUntouched = entry;
    this.#count += 1;
    return entry;
  }

  /** Removes a topic and releases its entry. */
  remove(entry: number): void {
    const pool = this.#pool;
    this.#unlink(entry);
    const bucket = pool.word(entry, ENTRY.hash) & (this.#buckets.length - 1);
    const next = pool.word(entry, ENTRY.sameBucket);
    let before = this.#buckets[bucket] as number;
    if (before === entry) this.#buckets[bucket] = next;
    else {
      while (pool.word(before, ENTRY.sameBucket) !== entry) {
        before = pool.word(before, ENTRY.sameBucket);
      }
      pool.setWord(before, ENTRY.sameBucket, next);
    }
    pool.releaseChain(entry);
    this.#count -= 1;
  }

  /** Ends the silence of a topic: it becomes the last in the order. */
  touch(entry: number): void {
    if (entry !== this.#newest) {
      this.#unlink(entry);
      this.#link(entry, this.#newest);
    } else if (entry === this.#lastUntouched) {
      this.#lastUntouched = this.#pool.word(entry, ENTRY.older);
    }
  }

  /**
   * Returns the next topic of a tour through all topics, in the order of silence, which begins again
   * after the last. Topics that are touched or removed meanwhile do not end the tour.
   */
  nextOfTour(): number {
    const entry = this.#cursor === NONE ? this.#silentLongest : this.#cursor;
    this.#cursor = entry === NONE ? NONE : this.newer(entry);
    return entry;
  }

  /** Returns the name of a topic. */
  nameOf(entry: number): string {
    const bytes = this.#pool.word(entry, ENTRY.nameBytes);
    this.#scratch.hold(bytes);
    this.#pool.copyOut(entry, ENTRY_BYTES / CELL_BYTES, bytes, this.#scratch);
    const text = Buffer.from(this.#scratch.bytes.buffer, 0, bytes);
    return text.toString(this.#pool.word(entry, ENTRY.unitBytes) === 1 ? "latin1" : "utf16le");
  }

  #writeName(entry: number, topic: string): void {
    const unitBytes = unitBytesOf(topic);
    const bytes = Buffer.from(topic, unitBytes === 1 ? "latin1" : "utf16le");
    this.#pool.setWord(entry, ENTRY.nameBytes, bytes.length);
    this.#pool.setWord(entry, ENTRY.unitBytes, unitBytes);
    let last = entry;
    for (let blocks = this.blocksFor(topic); blocks > 1; blocks -= 1) {
      const more = this.#pool.take();
      this.#pool.setNext(last, more);
      last = more;
    }
    this.#pool.copyIn(entry, ENTRY_BYTES / CELL_BYTES, bytes);
  }

  #isNamed(entry: number, topic: string): boolean {
    const unitBytes = this.#pool.word(entry, ENTRY.unitBytes);
    if (this.#pool.word(entry, ENTRY.nameBytes) !== topic.length * unitBytes) return false;
    let block = entry;
    let bytes = this.#pool.bytesOf(block);
    let start = this.#pool.startOf(block);
    let at = ENTRY_BYTES;
    for (let index = 0; index < topic.length; index += 1) {
      if (at === BLOCK_BYTES) {
        block = this.#pool.next(block);
        bytes = this.#pool.bytesOf(block);
        start = this.#pool.startOf(block);
        at = 0;
      }
      let unit = bytes[start + at] as number;
      if (unitBytes === 2) unit |= (bytes[start + at + 1] as number) << 8;
      if (unit !== topic.charCodeAt(index)) return false;
      at += unitBytes;
    }
    return true;
  }

  /** Puts an entry behind another one; as the first, if that is NONE. */
  #link(entry: number, older: number): void {
    const pool = this.#pool;
    const newer = older === NONE ? this.#silentLongest : this.newer(older);
    pool.setWord(entry, ENTRY.older, older);
    pool.setWord(entry, ENTRY.newer, newer);
    if (older === NONE) this.#silentLongest = entry;
    else pool.setWord(older, ENTRY.newer, entry);
    if (newer === NONE) this.#newest = entry;
    else pool.setWord(newer, ENTRY.older, entry);
  }

  #unlink(entry: number): void {
    const pool = this.#pool;
    const older = pool.word(entry, ENTRY.older);
    const newer = pool.word(entry, ENTRY.newer);
    if (older === NONE) this.#silentLongest = newer;
    else pool.setWord(older, ENTRY.newer, newer);
    if (newer === NONE) this.#newest = older;
    else pool.setWord(newer, ENTRY.older, older);
    if (this.#cursor === entry) this.#cursor = newer;
    if (this.#lastUntouched === entry) this.#lastUntouched = older;
  }
}

/** Returns the number of bytes for each UTF-16 unit of a name. */
function unitBytesOf(topic: string): number {
  for (let at = 0; at < topic.length; at += 1) {
    if (topic.charCodeAt(at) > LAST_NARROW_UNIT) return 2;
  }
  return 1;
}
