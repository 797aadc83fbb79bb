/**
 * The messages of one topic at a time: a log of records in a chain of blocks.
 *
 * Adds records at the end, removes them at the start, and reads them in order from any offset. The
 * layout is drawn in `history/slab-layout`. One object serves all topics: a topic's state is in its
 * entry. What was read last is in the fields of this object, so reading allocates nothing.
 *
 * Runs on: the keeper's thread.
 * Owns:    the logs; in entries, the words of the log, of waypoints, and the offsets except the head.
 * Full:    `append` needs `blocksFor` blocks of the pool; the store makes room before.
 */

import type { BlockPool } from "./block-pool.ts";
import { Scratch } from "./scratch.ts";
import {
  blockOf,
  blocksOf,
  CELLS_PER_BLOCK,
  cellOf,
  cellsOf,
  DEPTH_WORD,
  ENTRY,
  ENTRY_DOUBLES,
  JUMP_DEPTH_WORD,
  JUMP_WORD,
  LENGTH_WORD,
  NONE,
  placeOf,
  PREV_WORD,
  SKIPPED_WORD,
  TIME_DOUBLE,
  WAYPOINT,
  WAYPOINT_CELLS,
  WAYPOINT_CELLS_USED,
  WAYPOINT_OFFSET_DOUBLE,
  WAYPOINT_SERIAL_WORD,
  WORDS_PER_CELL,
} from "./slab-layout.ts";

const DOUBLES_PER_CELL = 2;
const HEADER_CELLS = 1;

/** Reads and writes the logs of all topics. An entry is named by its block. */
export class MessageLog {
  readonly #pool: BlockPool;
  readonly #scratch = new Scratch();
  /** Position at which the next record is read or written. */
  #block = NONE;
  #cell = 0;
  /** Serial of the record read last. */
  #serial = 0;

  /** Offset of the record read last. */
  offset = 0;
  /** Time of the record read last (ms). */
  timeMs = 0;
  /** Size of the record read last (bytes). */
  length = 0;
  /** After `load`, the array that contains the bytes of the record read last, and where. */
  bytes: Uint8Array = this.#scratch.bytes;
  start = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  /** Prepares the entry of a new topic, whose next message follows the offset `base`. */
  begin(entry: number, base: number): void {
    const pool = this.#pool;
    pool.setWord(entry, ENTRY.oldestBlock, NONE);
    pool.setWord(entry, ENTRY.endBlock, NONE);
    pool.setWord(entry, ENTRY.messages, 0);
    pool.setWord(entry, ENTRY.newestSerial, 0);
    pool.setWord(entry, ENTRY.waypointDepth, 0);
    pool.setWord(entry, ENTRY.oldestDepth, 1);
    pool.setWord(entry, ENTRY.cellsSince, 0);
    pool.setDouble(entry, ENTRY_DOUBLES.newest, base);
    pool.setDouble(entry, ENTRY_DOUBLES.base, base);
    pool.setDouble(entry, ENTRY_DOUBLES.bytes, 0);
    pool.setDouble(entry, ENTRY_DOUBLES.newestMs, 0);
  }

  /** Returns the number of blocks that `append` takes for a message. */
  blocksFor(entry: number, length: number): number {
    const cells = this.#cellsFor(entry, length);
    if (this.#pool.word(entry, ENTRY.endBlock) === NONE) return blocksOf(cells);
    return blocksOf(Math.max(cells - this.#roomAtEnd(entry), 0));
  }

  /**
   * Adds a message. If the time is earlier than that of the message before, it takes that one.
   *
   * @param offset - above the newest one; the offsets in between count as burned
   */
  append(entry: number, offset: number, bytes: Uint8Array, timeMs: number): void {
    const pool = this.#pool;
    const isWaypointDue = this.#isWaypointDue(entry);
    const cells = this.#cellsFor(entry, bytes.length);
    this.#extend(entry, cells);
    this.#block = pool.word(entry, ENTRY.endBlock);
    this.#cell = pool.word(entry, ENTRY.endCell);
    if (isWaypointDue) this.#writeWaypoint(entry);
    this.#enterBlock();
    const newest = pool.double(entry, ENTRY_DOUBLES.newest);
    const newestMs = Math.max(timeMs, pool.double(entry, ENTRY_DOUBLES.newestMs));
    this.#setWord(LENGTH_WORD, bytes.length);
    this.#setWord(SKIPPED_WORD, offset - newest - 1);
    this.#setDouble(TIME_DOUBLE, newestMs);
    this.#skip(HEADER_CELLS);
    if (bytes.length > 0) {
      this.#enterBlock();
      pool.copyIn(this.#block, this.#cell, bytes);
      this.#skip(cellsOf(bytes.length));
    }
    pool.setWord(entry, ENTRY.endBlock, this.#block);
    pool.setWord(entry, ENTRY.endCell, this.#cell);
    pool.setWord(entry, ENTRY.cellsSince, pool.word(entry, ENTRY.cellsSince) + cells);
    pool.setWord(entry, ENTRY.messages, pool.word(entry, ENTRY.messages) + 1);
    pool.setWord(entry, ENTRY.newestSerial, pool.word(entry, ENTRY.newestSerial) + 1);
    pool.setDouble(entry, ENTRY_DOUBLES.newest, offset);
    pool.setDouble(entry, ENTRY_DOUBLES.newestMs, newestMs);
    this.#addBytes(entry, bytes.length);
  }

  /** Removes the oldest message of a log that has one. @returns its size (bytes) */
  dropOldest(entry: number): number {
    const pool = this.#pool;
    this.seekOldest(entry);
    const { length } = this;
    const messages = pool.word(entry, ENTRY.messages) - 1;
    if (messages === 0) {
      this.clear(entry);
      return length;
    }
    this.#skip(cellsOf(length));
    this.#enterBlock();
    let block = pool.word(entry, ENTRY.oldestBlock);
    while (block !== this.#block) {
      const next = pool.next(block);
      pool.release(block);
      block = next;
    }
    pool.setWord(entry, ENTRY.oldestBlock, this.#block);
    pool.setWord(entry, ENTRY.oldestCell, this.#cell);
    pool.setWord(entry, ENTRY.messages, messages);
    pool.setDouble(entry, ENTRY_DOUBLES.base, this.offset);
    this.#addBytes(entry, -length);
    this.#forgetWaypoint(entry);
    return length;
  }

  /** Removes all messages. */
  clear(entry: number): void {
    const pool = this.#pool;
    pool.releaseChain(pool.word(entry, ENTRY.oldestBlock));
    pool.setWord(entry, ENTRY.oldestBlock, NONE);
    pool.setWord(entry, ENTRY.endBlock, NONE);
    pool.setWord(entry, ENTRY.messages, 0);
    pool.setWord(entry, ENTRY.oldestDepth, (pool.word(entry, ENTRY.waypointDepth) + 1) | 0);
    pool.setWord(entry, ENTRY.cellsSince, 0);
    pool.setDouble(entry, ENTRY_DOUBLES.base, pool.double(entry, ENTRY_DOUBLES.newest));
    pool.setDouble(entry, ENTRY_DOUBLES.bytes, 0);
  }

  /** Reads the header of the oldest message. @returns false if there is no message */
  seekOldest(entry: number): boolean {
    this.#toOldest(entry);
    return this.#readHeader(entry);
  }

  /** Reads the header of the first message after an offset. @returns false if there is none */
  seek(entry: number, after: number): boolean {
    this.#toOldest(entry);
    this.#toWaypoint(entry, after, false);
    let isFound = this.#readHeader(entry);
    while (isFound && this.offset <= after) isFound = this.advance(entry);
    return isFound;
  }

  /** Returns the number of messages after an offset. */
  countAfter(entry: number, after: number): number {
    if (!this.seek(entry, after)) return 0;
    return (this.#pool.word(entry, ENTRY.newestSerial) - this.#serial + 1) | 0;
  }

  /** Reads the header of the oldest of the newest `count` messages; `count` is at most their number. */
  seekLast(entry: number, count: number): boolean {
    const serial = (this.#pool.word(entry, ENTRY.newestSerial) - count) | 0;
    this.#toOldest(entry);
    this.#toWaypoint(entry, serial, true);
    let isFound = this.#readHeader(entry);
    while (isFound && ((this.#serial - serial) | 0) <= 0) isFound = this.advance(entry);
    return isFound;
  }

  /** Reads the header of the next message. @returns false if the last one read was the newest */
  advance(entry: number): boolean {
    this.#skip(cellsOf(this.length));
    return this.#readHeader(entry);
  }

  /** Sets `bytes` and `start` to the bytes of the message whose header was read last. */
  load(): void {
    const { length } = this;
    this.bytes = this.#scratch.bytes;
    this.start = 0;
    if (length === 0) return;
    this.#enterBlock();
    if (this.#pool.contiguous(this.#block, this.#cell, length) === length) {
      this.bytes = this.#pool.bytesOf(this.#block);
      this.start = this.#pool.startOf(this.#block) + (this.#cell << 4);
      return;
    }
    this.#scratch.hold(length);
    this.#pool.copyOut(this.#block, this.#cell, length, this.#scratch);
    this.bytes = this.#scratch.bytes;
  }

  #isWaypointDue(entry: number): boolean {
    return this.#pool.word(entry, ENTRY.cellsSince) >= WAYPOINT_CELLS;
  }

  /** Returns the number of cells that `append` writes for a message. */
  #cellsFor(entry: number, length: number): number {
    const cells = HEADER_CELLS + cellsOf(length);
    return this.#isWaypointDue(entry) ? cells + WAYPOINT_CELLS_USED : cells;
  }

  #roomAtEnd(entry: number): number {
    return CELLS_PER_BLOCK - this.#pool.word(entry, ENTRY.endCell);
  }

  #addBytes(entry: number, bytes: number): void {
    const before = this.#pool.double(entry, ENTRY_DOUBLES.bytes);
    this.#pool.setDouble(entry, ENTRY_DOUBLES.bytes, before + bytes);
  }

  /** Adds blocks to the end of a log until there is room for a number of cells. */
  #extend(entry: number, cells: number): void {
    const pool = this.#pool;
    let last = pool.word(entry, ENTRY.endBlock);
    if (last === NONE) {
      last = pool.take();
      pool.setWord(entry, ENTRY.oldestBlock, last);
      pool.setWord(entry, ENTRY.oldestCell, 0);
      pool.setWord(entry, ENTRY.endBlock, last);
      pool.setWord(entry, ENTRY.endCell, 0);
    }
    for (let room = this.#roomAtEnd(entry); room < cells; room += CELLS_PER_BLOCK) {
      const next = pool.take();
      pool.setNext(last, next);
      last = next;
    }
  }

  /** Moves to the start of the next block if the position is at the end of one. */
  #enterBlock(): void {
    if (this.#cell < CELLS_PER_BLOCK) return;
    this.#block = this.#pool.next(this.#block);
    this.#cell = 0;
  }

  /** Moves the position by a number of cells. Does not enter a block beyond them. */
  #skip(cells: number): void {
    let cell = this.#cell + cells;
    for (; cell > CELLS_PER_BLOCK; cell -= CELLS_PER_BLOCK) {
      this.#block = this.#pool.next(this.#block);
    }
    this.#cell = cell;
  }

  #word(word: number): number {
    return this.#pool.word(this.#block, this.#cell * WORDS_PER_CELL + word);
  }

  #setWord(word: number, value: number): void {
    this.#pool.setWord(this.#block, this.#cell * WORDS_PER_CELL + word, value);
  }

  #setDouble(double: number, value: number): void {
    this.#pool.setDouble(this.#block, this.#cell * DOUBLES_PER_CELL + double, value);
  }

  /** Moves to the oldest record. */
  #toOldest(entry: number): void {
    const pool = this.#pool;
    this.#block = pool.word(entry, ENTRY.oldestBlock);
    this.#cell = pool.word(entry, ENTRY.oldestCell);
    const messages = pool.word(entry, ENTRY.messages);
    this.#serial = (pool.word(entry, ENTRY.newestSerial) - messages) | 0;
    this.offset = pool.double(entry, ENTRY_DOUBLES.base);
  }

  /** Reads the header at the position, and moves to the bytes of the message. */
  #readHeader(entry: number): boolean {
    if (this.#serial === this.#pool.word(entry, ENTRY.newestSerial)) return false;
    this.#enterBlock();
    let length = this.#word(LENGTH_WORD);
    if (length === WAYPOINT) {
      this.#skip(WAYPOINT_CELLS_USED);
      this.#enterBlock();
      length = this.#word(LENGTH_WORD);
    }
    this.length = length;
    this.offset += 1 + (this.#word(SKIPPED_WORD) >>> 0);
    this.timeMs = this.#pool.double(this.#block, this.#cell * DOUBLES_PER_CELL + TIME_DOUBLE);
    this.#serial = (this.#serial + 1) | 0;
    this.#skip(HEADER_CELLS);
    return true;
  }

  /** Writes a waypoint at the position and moves behind it. */
  #writeWaypoint(entry: number): void {
    const pool = this.#pool;
    const before = pool.word(entry, ENTRY.waypoint);
    const depth = pool.word(entry, ENTRY.waypointDepth);
    this.#enterBlock();
    const place = placeOf(this.#block, this.#cell);
    let jump = before;
    let jumpDepth = depth;
    if (this.#isLeft(entry, depth)) {
      // Myers: jumps over two jumps of the same length, otherwise to the waypoint before.
      const over = this.#jumpOf(before);
      const overDepth = this.#jumpDepthOf(before);
      if (this.#isLeft(entry, overDepth)) {
        const next = this.#jumpDepthOf(over);
        if (((depth - overDepth) | 0) === ((overDepth - next) | 0)) {
          jump = this.#jumpOf(over);
          jumpDepth = next;
        }
      }
    }
    this.#setWord(LENGTH_WORD, WAYPOINT);
    this.#setWord(PREV_WORD, before);
    this.#setWord(JUMP_WORD, jump);
    this.#setWord(DEPTH_WORD, depth + 1);
    this.#skip(1);
    this.#enterBlock();
    this.#setDouble(WAYPOINT_OFFSET_DOUBLE, pool.double(entry, ENTRY_DOUBLES.newest));
    this.#setWord(WAYPOINT_SERIAL_WORD, pool.word(entry, ENTRY.newestSerial));
    this.#setWord(JUMP_DEPTH_WORD, jumpDepth);
    this.#skip(1);
    pool.setWord(entry, ENTRY.waypoint, place);
    pool.setWord(entry, ENTRY.waypointDepth, depth + 1);
    pool.setWord(entry, ENTRY.cellsSince, 0);
  }

  /** Counts a waypoint that is now in front of the oldest message as removed, and skips it. */
  #forgetWaypoint(entry: number): void {
    if (this.#word(LENGTH_WORD) !== WAYPOINT) return;
    const pool = this.#pool;
    pool.setWord(entry, ENTRY.oldestDepth, this.#word(DEPTH_WORD) + 1);
    this.#skip(WAYPOINT_CELLS_USED);
    this.#enterBlock();
    const block = pool.word(entry, ENTRY.oldestBlock);
    if (block !== this.#block) pool.release(block);
    pool.setWord(entry, ENTRY.oldestBlock, this.#block);
    pool.setWord(entry, ENTRY.oldestCell, this.#cell);
  }

  /** Reports whether the waypoint of a depth has not been removed. */
  #isLeft(entry: number, depth: number): boolean {
    return ((depth - this.#pool.word(entry, ENTRY.oldestDepth)) | 0) >= 0;
  }

  /**
   * Moves to the newest waypoint that is left and has no record after a key before it. Without one,
   * the position remains.
   *
   * @param key - an offset, or a serial
   */
  #toWaypoint(entry: number, key: number, isSerial: boolean): void {
    let place = this.#pool.word(entry, ENTRY.waypoint);
    let depth = this.#pool.word(entry, ENTRY.waypointDepth);
    while (this.#isLeft(entry, depth) && this.#isBeyond(place, key, isSerial)) {
      const jumpDepth = this.#jumpDepthOf(place);
      const jump = this.#jumpOf(place);
      if (this.#isLeft(entry, jumpDepth) && this.#isBeyond(jump, key, isSerial)) {
        place = jump;
        depth = jumpDepth;
      } else {
        place = this.#wordAt(place, PREV_WORD);
        depth = (depth - 1) | 0;
      }
    }
    if (!this.#isLeft(entry, depth)) return;
    const second = this.#placeAfter(place);
    this.#block = blockOf(place);
    this.#cell = cellOf(place);
    this.#serial = this.#wordAt(second, WAYPOINT_SERIAL_WORD);
    this.offset = this.#waypointOffset(second);
  }

  /** Reports whether a record before the waypoint is after a key. */
  #isBeyond(place: number, key: number, isSerial: boolean): boolean {
    const second = this.#placeAfter(place);
    if (isSerial) return ((this.#wordAt(second, WAYPOINT_SERIAL_WORD) - key) | 0) > 0;
    return this.#waypointOffset(second) > key;
  }

  #waypointOffset(second: number): number {
    const double = cellOf(second) * DOUBLES_PER_CELL + WAYPOINT_OFFSET_DOUBLE;
    return this.#pool.double(blockOf(second), double);
  }

  #jumpOf(waypoint: number): number {
    return this.#wordAt(waypoint, JUMP_WORD);
  }

  #jumpDepthOf(waypoint: number): number {
    return this.#wordAt(this.#placeAfter(waypoint), JUMP_DEPTH_WORD);
  }

  /** Returns the place of the next cell in the same chain. */
  #placeAfter(place: number): number {
    if (cellOf(place) < CELLS_PER_BLOCK - 1) return place + 1;
    return placeOf(this.#pool.next(blockOf(place)), 0);
  }

  #wordAt(place: number, word: number): number {
    return this.#pool.word(blockOf(place), cellOf(place) * WORDS_PER_CELL + word);
  }
}
