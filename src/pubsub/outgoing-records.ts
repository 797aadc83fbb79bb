/**
 * A producer's records for other members: the record being offered, the records that wait for room,
 * and the slots of lost records.
 *
 * Runs on: the producer's thread; `unpackLapped` on the consumer's.
 * Full:    the queue itself has no bound: `Outbound` compares it with its `OverflowBudget` before
 *          it adds. Slots beyond MAX_LAPPED_SLOTS become "all".
 */

import type { RingViews } from "../memory/ring.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { LAPPED_KIND } from "./exchange-layout.ts";

/** Up to this length, a loop over words copies faster than `set` (measured on Node 20, x64). */
const WORD_COPY_BYTES = 256;

/** Slot of a record that belongs to no topic and is never lapped. */
export const CONTROL_SLOT = -1;

/** Approximate size of the objects that hold a queued record, in addition to its bytes. */
const QUEUED_OVERHEAD_BYTES = 256;

/**
 * Returns the number of bytes that a record of this length counts towards the bounds of a queue.
 */
export function queuedBytes(length: number): number {
  return length + QUEUED_OVERHEAD_BYTES;
}

// -- the record ------------------------------------------------------------------------------------

/**
 * One record and its slot: the caller's scratch buffer, or a waiting copy. An exchange has one
 * instance for all records that it publishes.
 */
export class OutgoingRecord {
  /** Kind and flags. */
  type = 0;
  /** Slot of the index, reported if the record is lost; or CONTROL_SLOT. */
  slot = CONTROL_SLOT;
  length = 0;
  /** Number of queues that hold this record. */
  waiters = 0;
  /** The copy of this record that waits in queues, once it exists. */
  waiting: OutgoingRecord | undefined = undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  /** The same bytes as words, if they are aligned. */
  #words: Int32Array = new Int32Array(0);

  /** Points this record at bytes. Fast if the buffer is the same as before, so callers keep one. */
  set(bytes: Uint8Array, length: number): void {
    this.length = length;
    this.waiting = undefined;
    if (bytes === this.#bytes) return;
    this.#bytes = bytes;
    const words = (bytes.byteOffset & 3) === 0 ? bytes.byteLength >> 2 : 0;
    this.#words = new Int32Array(bytes.buffer, words === 0 ? 0 : bytes.byteOffset, words);
  }

  /** Copies a part into a ring. The claim starts at a multiple of 4 and has room for whole words. */
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

  /** Returns a copy that outlives the caller's buffer; all queues share it. */
  copyToWait(): OutgoingRecord {
    if (this.waiting !== undefined) return this.waiting;
    const copy = new OutgoingRecord();
    copy.type = this.type;
    copy.slot = this.slot;
    copy.length = this.length;
    // Not `slice`, which for a Buffer returns a view of the caller's bytes.
    copy.#bytes = new Uint8Array(this.length);
    copy.#bytes.set(this.#bytes.subarray(0, this.length));
    this.waiting = copy;
    return copy;
  }
}

// -- records that wait -----------------------------------------------------------------------------

/** Bounds for waiting records, and the amount waiting in all queues of one producer. */
export class OverflowBudget {
  /** Maximum bytes of topic records waiting for one member. */
  readonly overflowBytes: number;
  /** Maximum bytes of topic records waiting for all members, each record counted once. */
  readonly overflowTotalBytes: number;
  /** Maximum bytes of control records waiting for one member: a separate reserve. */
  readonly controlBytes: number;
  /** Bytes of topic records waiting for any member, each record counted once. */
  topicBytesWaiting = 0;
  /** Bytes of control records waiting for any member. */
  controlBytesWaiting = 0;

  constructor(options: Pick<ResolvedOptions, "overflowBytes" | "overflowTotalBytes">) {
    this.overflowBytes = options.overflowBytes;
    this.overflowTotalBytes = options.overflowTotalBytes;
    this.controlBytes = options.overflowBytes / 4;
  }

  get waitingBytes(): number {
    return this.topicBytesWaiting + this.controlBytesWaiting;
  }
}

/** The records that wait for room in one ring, in order. */
export class OverflowQueue {
  readonly #budget: OverflowBudget;
  #records: OutgoingRecord[] = [];
  /** Index of the front in `#records`. The records before it have been removed. */
  #front = 0;
  /** Bytes of topic records waiting in this queue. */
  topicBytes = 0;
  /** Bytes of control records waiting in this queue. */
  controlBytes = 0;

  constructor(budget: OverflowBudget) {
    this.#budget = budget;
  }

  get isEmpty(): boolean {
    return this.#front === this.#records.length;
  }

  /** Returns the record that has waited longest. */
  front(): OutgoingRecord | undefined {
    return this.#records[this.#front];
  }

  /** Adds a record at the end, as a copy that all queues share. */
  push(record: OutgoingRecord): void {
    const copy = record.copyToWait();
    const bytes = queuedBytes(copy.length);
    if (copy.slot === CONTROL_SLOT) {
      this.controlBytes += bytes;
      this.#budget.controlBytesWaiting += bytes;
    } else {
      this.topicBytes += bytes;
      if (copy.waiters === 0) this.#budget.topicBytesWaiting += bytes;
    }
    copy.waiters += 1;
    this.#records.push(copy);
  }

  /** Removes the front record. */
  shift(): void {
    const record = this.front();
    if (record === undefined) return;
    this.#release(record);
    this.#front += 1;
    // Compacting only after half of the records have been removed keeps this cheap for a long
    // queue.
    if (this.#front * 2 < this.#records.length) return;
    this.#records.splice(0, this.#front);
    this.#front = 0;
  }

  /**
   * Removes the topic records, except notices.
   *
   * @param isBegun - true if a part of the front record was sent, so that it must stay
   * @param removed - called with the slot of each
   */
  removeTopics(isBegun: boolean, removed: (slot: number) => void): void {
    const kept = this.#records.slice(this.#front).filter((record, at) => {
      const isKept =
        record.slot === CONTROL_SLOT || record.type === LAPPED_KIND || (isBegun && at === 0);
      if (isKept) return true;
      this.#release(record);
      removed(record.slot);
      return false;
    });
    this.#records = kept;
    this.#front = 0;
  }

  /** Removes all records. */
  clear(): void {
    for (let at = this.#front; at < this.#records.length; at += 1) {
      this.#release(this.#records[at] as OutgoingRecord);
    }
    this.#records = [];
    this.#front = 0;
  }

  #release(record: OutgoingRecord): void {
    const bytes = queuedBytes(record.length);
    record.waiters -= 1;
    if (record.slot === CONTROL_SLOT) {
      this.controlBytes -= bytes;
      this.#budget.controlBytesWaiting -= bytes;
      return;
    }
    this.topicBytes -= bytes;
    if (record.waiters === 0) this.#budget.topicBytesWaiting -= bytes;
  }
}

// -- records that were lost ------------------------------------------------------------------------

/** Slots with lost records, or "all" if there were too many to list. */
export type LappedNotice = Int32Array | "all";

/** Maximum number of slots in a notice. */
const MAX_LAPPED_SLOTS = 1_024;

/** The slots of records that a member has lost, until the member can be notified. */
export class LappedSlots {
  readonly #slots = new Set<number>();
  #isAll = false;

  get isEmpty(): boolean {
    return !this.#isAll && this.#slots.size === 0;
  }

  /** Size of the notice in bytes. */
  get noticeBytes(): number {
    return this.#slots.size * 4;
  }

  /** Adds the slot of a lost record. */
  add(slot: number): void {
    if (this.#isAll) return;
    this.#slots.add(slot);
    if (this.#slots.size <= MAX_LAPPED_SLOTS) return;
    this.#isAll = true;
    this.#slots.clear();
  }

  /** Adds slots that another member reported as lost. */
  addAll(notice: LappedNotice): void {
    if (notice === "all") {
      this.#isAll = true;
      this.#slots.clear();
      return;
    }
    for (const slot of notice) this.add(slot);
  }

  clear(): void {
    this.#slots.clear();
    this.#isAll = false;
  }

  /** Returns the slots with lost records. */
  notice(): LappedNotice {
    return this.#isAll ? "all" : Int32Array.from(this.#slots);
  }

  /** Creates the record that reports all added slots, and clears them. */
  takeNotice(): OutgoingRecord {
    // An empty list means all.
    const slots = Int32Array.from(this.#slots);
    const record = new OutgoingRecord();
    record.set(new Uint8Array(slots.buffer), slots.byteLength);
    record.type = LAPPED_KIND;
    // Never read, because a notice is not lapped; but it makes the notice count as a topic record.
    record.slot = 0;
    this.clear();
    return record;
  }
}

/** Reads the payload of a notice. The slots are a copy that the caller may keep. */
export function unpackLapped(bytes: Uint8Array, offset: number, length: number): LappedNotice {
  if (length === 0) return "all";
  // A payload's bytes are only valid during the call.
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(offset, offset + length));
  return new Int32Array(copy.buffer);
}
