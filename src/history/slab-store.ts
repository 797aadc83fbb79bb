/**
 * A history in slabs: all topics and messages of this process, in blocks of a few large buffers.
 *
 * This file has the rules: limits, expiry, silence, the bound. `TopicTable` finds topics, `MessageLog`
 * has their messages, `BlockPool` the memory; `slab-layout` draws it. See `history/store` for what
 * each method promises.
 *
 * An epoch is a number in base 36. Each store begins at a random one and counts topics from there, so
 * a topic never has the same epoch again, in this store or, but for an accident, in another one.
 *
 * Runs on: the thread that keeps the history; one store each.
 * Owns:    everything below it; in entries, the head, the limits, the time of the last use, the epoch.
 * Full:    the topics that were silent longest lose their oldest messages; those without messages are
 *          forgotten, unless they are in use. `append` returns undefined if that does not suffice.
 */

import { randomInt } from "node:crypto";

import { makeError } from "../errors.ts";
import { BlockPool } from "./block-pool.ts";
import { MessageLog } from "./message-log.ts";
import { OFFSET_BEFORE_FIRST } from "./offsets.ts";
import { BLOCK_BYTES, ENTRY, ENTRY_DOUBLES, LINK_BYTES, NONE, planOf } from "./slab-layout.ts";
import type {
  HistoryLimits,
  HistoryPosition,
  HistoryRead,
  HistoryStore,
  MessageVisitor,
  ReadLimits,
} from "./store.ts";
import { TopicTable } from "./topic-table.ts";

/** How a store is made. */
export interface SlabStoreOptions {
  /** Bound for slabs, links and topics together (bytes). Memory is allocated as it is needed. */
  readonly maxBytes: number;
  /** Seed of the topic hash, an int32. It should be random, so that clients cannot choose collisions. */
  readonly seed: number;
  /** Time after which `trim` forgets a topic that has no messages and was not used (ms). */
  readonly idleMs: number;
  /**
   * Reports whether somebody uses a topic, so that it must not be forgotten. Called only for topics
   * without messages, when they would be forgotten.
   */
  readonly isInUse?: (topic: string) => boolean;
  /** Binary logarithm of the number of blocks in a slab; 12 by default, which is 1 MiB. */
  readonly slabShift?: number;
}

/** A bound below this cannot keep anything of use (bytes). */
const MIN_MAX_BYTES = 4_096;
const DEFAULT_SLAB_SHIFT = 12;
/** Number of topics in use that one call skips, at most, to find one that can be forgotten. */
const MAX_SKIPS = 256;
/** The first epoch of a store is below this, so that all are safe integers. */
const MAX_FIRST_EPOCH = 2 ** 48 - 1;
const EPOCH_RADIX = 36;

interface Read extends HistoryRead {
  messages: number;
  bytes: number;
  position: number;
  isAtHead: boolean;
  isComplete: boolean;
}

/** Keeps messages in slabs. */
export class SlabStore implements HistoryStore {
  readonly #pool: BlockPool;
  readonly #topics: TopicTable;
  readonly #log: MessageLog;
  readonly #idleMs: number;
  readonly #isInUse: (topic: string) => boolean;
  readonly #maxMessageBlocks: number;
  readonly #read: Read = {
    messages: 0,
    bytes: 0,
    position: 0,
    isAtHead: false,
    isComplete: false,
  };
  #nextEpoch = randomInt(MAX_FIRST_EPOCH);
  #messages = 0;
  #evictedMessages = 0;
  #evictedBytes = 0;
  /** True while a visitor reads bytes of the store. */
  #isReading = false;

  /** @throws SIM_ERR_INTERNAL if `maxBytes` is below 4 KiB */
  constructor({ maxBytes, seed, idleMs, isInUse, slabShift }: SlabStoreOptions) {
    if (!(maxBytes >= MIN_MAX_BYTES)) {
      throw makeError(
        "SIM_ERR_INTERNAL",
        `maxBytes of a history must be at least ${MIN_MAX_BYTES} (bytes), got ${maxBytes}`,
      );
    }
    const { blocks, buckets } = planOf(maxBytes);
    this.#pool = new BlockPool(blocks, slabShift ?? DEFAULT_SLAB_SHIFT);
    this.#topics = new TopicTable(this.#pool, buckets, seed);
    this.#log = new MessageLog(this.#pool);
    this.#idleMs = idleMs;
    this.#isInUse = isInUse ?? (() => false);
    this.#maxMessageBlocks = Math.floor(blocks / 2);
  }

  get bytes(): number {
    return this.#pool.used * (BLOCK_BYTES + LINK_BYTES);
  }

  get topics(): number {
    return this.#topics.count;
  }

  get messages(): number {
    return this.#messages;
  }

  get evictedMessages(): number {
    return this.#evictedMessages;
  }

  get evictedBytes(): number {
    return this.#evictedBytes;
  }

  /** Size of all slabs that have been allocated (bytes). It never falls. */
  get allocatedBytes(): number {
    return this.#pool.allocatedBytes;
  }

  open(topic: string, limits: HistoryLimits, nowMs: number): boolean {
    return this.#opened(topic, limits, nowMs) !== NONE;
  }

  restore(topic: string, limits: HistoryLimits, position: HistoryPosition, nowMs: number): boolean {
    const epoch = Number.parseInt(position.epoch, EPOCH_RADIX);
    if (!Number.isSafeInteger(epoch) || epoch.toString(EPOCH_RADIX) !== position.epoch)
      return false;
    if (!Number.isSafeInteger(position.offset) || position.offset < OFFSET_BEFORE_FIRST) {
      return false;
    }
    this.#checkNotReading();
    if (this.#topics.find(topic) !== NONE) return false;
    const entry = this.#begin(topic, nowMs, epoch, position.offset);
    if (entry === NONE) return false;
    this.#topics.touch(entry);
    this.#setLimits(entry, limits);
    return true;
  }

  epoch(topic: string): string | undefined {
    const entry = this.#topics.find(topic);
    if (entry === NONE) return undefined;
    return this.#pool.double(entry, ENTRY_DOUBLES.epoch).toString(EPOCH_RADIX);
  }

  head(topic: string): number {
    const entry = this.#topics.find(topic);
    return entry === NONE ? OFFSET_BEFORE_FIRST : this.#headOf(entry);
  }

  usedMs(topic: string): number | undefined {
    const entry = this.#topics.find(topic);
    return entry === NONE ? undefined : this.#pool.double(entry, ENTRY_DOUBLES.usedMs);
  }

  limits(topic: string): HistoryLimits | undefined {
    const entry = this.#topics.find(topic);
    if (entry === NONE) return undefined;
    return {
      size: this.#pool.word(entry, ENTRY.size),
      ttlMs: this.#pool.double(entry, ENTRY_DOUBLES.ttlMs),
      maxBytes: this.#pool.double(entry, ENTRY_DOUBLES.maxBytes),
    };
  }

  append(
    topic: string,
    limits: HistoryLimits,
    bytes: Uint8Array,
    nowMs: number,
  ): number | undefined {
    const entry = this.#opened(topic, limits, nowMs);
    if (entry === NONE) return undefined;
    const { length } = bytes;
    if (length > limits.maxBytes) return undefined;
    this.#topics.touch(entry);
    this.#expire(entry, nowMs, Infinity);
    while (this.#isFullWith(entry, length)) this.#drop(entry);
    if (this.#log.blocksFor(entry, length) > this.#maxMessageBlocks) return undefined;
    if (!this.#makeRoom(entry, length, nowMs)) return undefined;
    const offset = this.#headOf(entry) + 1;
    this.#log.append(entry, offset, bytes, nowMs);
    this.#pool.setDouble(entry, ENTRY_DOUBLES.head, offset);
    this.#messages += 1;
    return offset;
  }

  burn(topic: string, limits: HistoryLimits, nowMs: number, count = 1): number | undefined {
    const entry = this.#opened(topic, limits, nowMs);
    if (entry === NONE) return undefined;
    const head = this.#headOf(entry) + count;
    this.#pool.setDouble(entry, ENTRY_DOUBLES.head, head);
    return head;
  }

  offsetBeforeLast(topic: string, count: number, nowMs: number): number {
    this.#checkNotReading();
    const entry = this.#topics.find(topic);
    if (entry === NONE) return OFFSET_BEFORE_FIRST;
    this.#expire(entry, nowMs, Infinity);
    const messages = Math.min(count, this.#messagesOf(entry));
    if (messages <= 0) return this.#headOf(entry);
    this.#log.seekLast(entry, messages);
    return this.#log.offset - 1;
  }

  countAfter(topic: string, after: number, nowMs: number): number {
    this.#checkNotReading();
    const entry = this.#topics.find(topic);
    if (entry === NONE) return 0;
    this.#expire(entry, nowMs, Infinity);
    return this.#log.countAfter(entry, after);
  }

  read(
    topic: string,
    after: number,
    limits: ReadLimits,
    nowMs: number,
    visit: MessageVisitor,
  ): HistoryRead {
    this.#checkNotReading();
    const entry = this.#topics.find(topic);
    const head = entry === NONE ? OFFSET_BEFORE_FIRST : this.#headOf(entry);
    const read = this.#read;
    read.messages = 0;
    read.bytes = 0;
    read.position = Math.min(after, head);
    read.isAtHead = true;
    if (entry !== NONE) {
      this.#expire(entry, nowMs, Infinity);
      this.#isReading = true;
      try {
        read.isAtHead = this.#readFrom(entry, after, limits, visit);
      } finally {
        this.#isReading = false;
      }
    }
    if (read.isAtHead) read.position = head;
    read.isComplete = read.position - after === read.messages;
    return read;
  }

  clear(topic: string): void {
    this.#checkNotReading();
    const entry = this.#topics.find(topic);
    if (entry !== NONE) this.#clear(entry);
  }

  trim(nowMs: number, maxWork: number): number {
    this.#checkNotReading();
    const before = this.#messages;
    let visits = this.#topics.count;
    for (let work = maxWork; work > 0 && visits > 0; visits -= 1) {
      const entry = this.#topics.nextOfTour();
      work -= 1 + this.#expire(entry, nowMs, work);
      if (this.#isIdle(entry, nowMs)) this.#topics.remove(entry);
    }
    return before - this.#messages;
  }

  visitTopics(visit: (topic: string) => void): void {
    for (let entry = this.#topics.silentLongest; entry !== NONE;) {
      const newer = this.#topics.newer(entry);
      visit(this.#topics.nameOf(entry));
      entry = newer;
    }
  }

  /** Visits messages of a topic. @returns true if the last one has been visited, or none is left */
  #readFrom(entry: number, after: number, limits: ReadLimits, visit: MessageVisitor): boolean {
    const log = this.#log;
    const read = this.#read;
    for (let isFound = log.seek(entry, after); isFound; isFound = log.advance(entry)) {
      if (read.messages >= limits.messages) return false;
      if (read.messages > 0 && read.bytes + log.length > limits.bytes) return false;
      log.load();
      if (!visit(log.offset, log.timeMs, log.bytes, log.start, log.length)) return false;
      read.messages += 1;
      read.bytes += log.length;
      read.position = log.offset;
    }
    return true;
  }

  /** Returns the entry of a topic, with these limits; begins it if there is none. */
  #opened(topic: string, limits: HistoryLimits, nowMs: number): number {
    this.#checkNotReading();
    let entry = this.#topics.find(topic);
    if (entry === NONE) {
      entry = this.#begin(topic, nowMs, this.#nextEpoch, OFFSET_BEFORE_FIRST);
      if (entry === NONE) return NONE;
      this.#nextEpoch += 1;
    }
    this.#setLimits(entry, limits);
    this.#pool.setDouble(entry, ENTRY_DOUBLES.usedMs, nowMs);
    return entry;
  }

  /** Begins a topic at an epoch and a head. @returns NONE if there is no room */
  #begin(topic: string, nowMs: number, epoch: number, head: number): number {
    const blocks = this.#topics.blocksFor(topic);
    if (blocks > this.#maxMessageBlocks) return NONE;
    for (let skips = MAX_SKIPS; this.#pool.available < blocks;) {
      skips -= this.#freeSome(NONE, nowMs);
      if (skips <= 0) return NONE;
    }
    const entry = this.#topics.add(topic);
    this.#log.begin(entry, head);
    this.#pool.setDouble(entry, ENTRY_DOUBLES.head, head);
    this.#pool.setDouble(entry, ENTRY_DOUBLES.usedMs, nowMs);
    this.#pool.setDouble(entry, ENTRY_DOUBLES.epoch, epoch);
    return entry;
  }

  #setLimits(entry: number, { size, ttlMs, maxBytes }: HistoryLimits): void {
    this.#pool.setWord(entry, ENTRY.size, size);
    this.#pool.setDouble(entry, ENTRY_DOUBLES.ttlMs, ttlMs);
    this.#pool.setDouble(entry, ENTRY_DOUBLES.maxBytes, maxBytes);
  }

  #headOf(entry: number): number {
    return this.#pool.double(entry, ENTRY_DOUBLES.head);
  }

  #messagesOf(entry: number): number {
    return this.#pool.word(entry, ENTRY.messages);
  }

  /** Reports whether a topic has to lose messages before one of `length` bytes is added. */
  #isFullWith(entry: number, length: number): boolean {
    const messages = this.#messagesOf(entry);
    if (messages === 0) return false;
    if (messages >= this.#pool.word(entry, ENTRY.size)) return true;
    const bytes = this.#pool.double(entry, ENTRY_DOUBLES.bytes);
    return bytes + length > this.#pool.double(entry, ENTRY_DOUBLES.maxBytes);
  }

  #clear(entry: number): void {
    this.#messages -= this.#messagesOf(entry);
    this.#log.clear(entry);
  }

  /** Removes the oldest message of a topic. @returns its size (bytes) */
  #drop(entry: number): number {
    this.#messages -= 1;
    return this.#log.dropOldest(entry);
  }

  /** Removes up to `max` expired messages. @returns the number removed */
  #expire(entry: number, nowMs: number, max: number): number {
    const expiredMs = nowMs - this.#pool.double(entry, ENTRY_DOUBLES.ttlMs);
    const messages = this.#messagesOf(entry);
    if (messages === 0) return 0;
    if (messages <= max && this.#pool.double(entry, ENTRY_DOUBLES.newestMs) <= expiredMs) {
      this.#clear(entry);
      return messages;
    }
    let count = 0;
    while (count < max && this.#log.seekOldest(entry) && this.#log.timeMs <= expiredMs) {
      this.#drop(entry);
      count += 1;
    }
    return count;
  }

  /** Frees blocks until a message fits into a topic. @returns false if that is impossible */
  #makeRoom(entry: number, length: number, nowMs: number): boolean {
    for (let skips = MAX_SKIPS; this.#pool.available < this.#log.blocksFor(entry, length);) {
      skips -= this.#freeSome(entry, nowMs);
      if (skips > 0) continue;
      if (this.#messagesOf(entry) === 0) return false;
      this.#evict(entry);
    }
    return true;
  }

  /**
   * Frees the oldest message of the topic that was silent longest, or the topic if it has none.
   *
   * @param spared - a topic that is not forgotten
   * @returns 0; or 1 if that topic is in use, in which case it goes to the end of the order
   */
  #freeSome(spared: number, nowMs: number): 0 | 1 {
    const entry = this.#topics.silentLongest;
    if (entry === NONE) return 1;
    if (this.#messagesOf(entry) > 0) {
      if (this.#expire(entry, nowMs, Infinity) === 0) this.#evict(entry);
      return 0;
    }
    if (entry !== spared && !this.#isInUse(this.#topics.nameOf(entry))) {
      this.#topics.remove(entry);
      return 0;
    }
    this.#topics.touch(entry);
    return 1;
  }

  /** Removes the oldest message of a topic because the store is full. */
  #evict(entry: number): void {
    this.#evictedBytes += this.#drop(entry);
    this.#evictedMessages += 1;
  }

  /** Reports whether a topic can be forgotten because it has had no messages for long. */
  #isIdle(entry: number, nowMs: number): boolean {
    if (this.#messagesOf(entry) > 0) return false;
    if (nowMs - this.#pool.double(entry, ENTRY_DOUBLES.usedMs) < this.#idleMs) return false;
    return !this.#isInUse(this.#topics.nameOf(entry));
  }

  /** Refuses calls of a visitor that would change what it reads. */
  #checkNotReading(): void {
    if (!this.#isReading) return;
    throw makeError("SIM_ERR_INTERNAL", "a history was called by the visitor of its own read");
  }
}
