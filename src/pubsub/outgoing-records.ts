/**
 * What a producer has for other members: the record it offers, the records that wait for room,
 * and the slots of the records that were lost.
 *
 * Runs on: the producer's thread; `unpackLapped` on the consumer's.
 * Full:    the queue itself has no bound: `Outbound` compares it with its `OverflowBudget` before
 *          it adds. Slots beyond MAX_LAPPED_SLOTS become "all".
 */

import type { RingViews } from "../memory/ring.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { LAPPED_KIND } from "./exchange-layout.ts";

/** Up to this length a loop over words copies faster than `set` (tried on Node 20, x64). */
const WORD_COPY_BYTES = 256;

/** Slot of a record that belongs to no topic, and is never lapped. */
export const CONTROL_SLOT = -1;

/** Approximate size of the objects that hold a queued record, in addition to its bytes. */
const QUEUED_OVERHEAD_BYTES = 256;

/** Returns how many bytes a record of this length counts against the bounds of a queue. */
export function queuedBytes(length: number): number {
  return length + QUEUED_OVERHEAD_BYTES;
}

// -- the record ------------------------------------------------------------------------------------

/**
 * One record and its slot: the caller's scratch buffer, or a copy that waits. An exchange has one
 * for everything that it publishes.
 */
export class OutgoingRecord {
  /** Kind and flags. */
  type = 0;
  /** Slot of the index, reported if the record is lost; or CONTROL_SLOT. */
  slot = CONTROL_SLOT;
  length = 0;
  /** Number of queues that hold this record. */
  waiters = 0;
  /** The copy of this record that waits in queues, once there is one. */
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

  /** Returns a copy that outlives the caller's buffer; the same one for all queues. */
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

/** Bounds of what waits, and how much waits in all queues of one producer. */
export class OverflowBudget {
  /** Bound of the topics' records that wait for one member. */
  readonly overflowBytes: number;
  /** Bound of the topics' records that wait for all members, each counted once. */
  readonly overflowTotalBytes: number;
  /** Bound of the control records that wait for one member: a reserve of their own. */
  readonly controlBytes: number;
  /** Topics' records that wait for any member, each counted once. */
  topicBytesWaiting = 0;
  /** Control records that wait for any member. */
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
  /** Index of the front in `#records`; those before it have left. */
  #front = 0;
  /** Bytes of topics' records that wait here. */
  topicBytes = 0;
  /** Bytes of control records that wait here. */
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

  /** Removes the front. */
  shift(): void {
    const record = this.front();
    if (record === undefined) return;
    this.#release(record);
    this.#front += 1;
    // Moving the rest down only after half has left keeps this cheap for a long queue.
    if (this.#front * 2 < this.#records.length) return;
    this.#records.splice(0, this.#front);
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

/** Slots whose records were lost; "all" if there were too many to name. */
export type LappedNotice = Int32Array | "all";

/** Most slots that a notice names. */
const MAX_LAPPED_SLOTS = 1_024;

/** The slots of records that a member has lost, until it can be told. */
export class LappedSlots {
  readonly #slots = new Set<number>();
  #isAll = false;

  get isEmpty(): boolean {
    return !this.#isAll && this.#slots.size === 0;
  }

  /** Bytes of the notice. */
  get noticeBytes(): number {
    return this.#slots.size * 4;
  }

  /** Notes a lost record. */
  add(slot: number): void {
    if (this.#isAll) return;
    this.#slots.add(slot);
    if (this.#slots.size <= MAX_LAPPED_SLOTS) return;
    this.#isAll = true;
    this.#slots.clear();
  }

  /** Notes slots that another member reported as lost. */
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

  /** Returns the slots that lost records. */
  notice(): LappedNotice {
    return this.#isAll ? "all" : Int32Array.from(this.#slots);
  }

  /** Makes the record that reports everything that was noted, and forgets it. */
  takeNotice(): OutgoingRecord {
    // An empty list means all.
    const slots = Int32Array.from(this.#slots);
    const record = new OutgoingRecord();
    record.set(new Uint8Array(slots.buffer), slots.byteLength);
    record.type = LAPPED_KIND;
    // Never read, since a notice is not lapped; but it counts with the topics' records.
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
