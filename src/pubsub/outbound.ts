/**
 * The path from this member to another: its ring, followed by a queue of records waiting for room.
 *
 *   offer --room--> ring                          nothing waits: the hot path
 *     |
 *     +--no room, or something waits--> a moment's patience --room--> ring
 *     |
 *     +--still no room--> queue --flush, when there is room--> ring
 *     |
 *     +--queue at its bound--> lapped slots --a notice, before the next record--> queue
 *
 * Runs on: the producer's thread.
 * Owns:    the producer's side of the ring.
 * Order:   no record passes another: while something waits, all later records wait behind it.
 * Full:    a topic's record beyond the bounds is lost as a whole, and its slot is reported; a
 *          control record beyond its own bound is refused.
 * Slow:    before a record is queued, this thread waits for room as long as its `Patience` allows:
 *          only for a member that is moving, and for at most 1 ms in each turn of the event loop.
 */

import { RingProducer } from "../memory/ring.ts";
import type { RingViews } from "../memory/ring.ts";
import { HEADER_BYTES, align } from "../memory/ring-layout.ts";
import type { RingPlace } from "../memory/ring-layout.ts";
import { FRAGMENT_HEADER_BYTES, FRAGMENT_KIND, packType } from "./exchange-layout.ts";
import {
  CONTROL_SLOT,
  LappedSlots,
  OverflowQueue,
  queuedBytes,
  type OutgoingRecord,
  type OverflowBudget,
} from "./outgoing-records.ts";
import { Pace, type Patience, type WatchedWay } from "./patience.ts";

/** Outcomes of offering a record. */
export const Offered = {
  /** In the ring. */
  written: 0,
  /** In the queue. */
  queued: 1,
  /** Lost, and its slot will be reported. */
  lapped: 2,
  /** Neither sent nor reported. */
  refused: 3,
} as const;

/** One of the values of `Offered`. */
export type OfferedOutcome = (typeof Offered)[keyof typeof Offered];

/** The dependencies of an Outbound. */
export interface OutboundOptions {
  /** The member at the other end. */
  readonly to: number;
  readonly views: RingViews;
  readonly place: RingPlace;
  /** This member's generation. */
  readonly generation: number;
  readonly budget: OverflowBudget;
  readonly patience: Patience;
}

/** The sending side of one ordered pair of members. */
export class Outbound implements WatchedWay {
  /** Tracks whether the other member reads the records written to it. */
  readonly pace: Pace;
  readonly #to: number;
  readonly #patience: Patience;
  readonly #ring: RingProducer;
  readonly #generation: number;
  readonly #budget: OverflowBudget;
  readonly #queue: OverflowQueue;
  readonly #lapped = new LappedSlots();
  readonly #maxFragmentBytes: number;
  /** Number of bytes of the current record that have been written, in fragments. */
  #sentBytes = 0;
  /** True if anything is waiting, in the queue or as lapped slots. */
  #isWaiting = false;

  constructor({ to, views, place, generation, budget, patience }: OutboundOptions) {
    this.#to = to;
    this.#patience = patience;
    this.#ring = new RingProducer(views, place);
    this.pace = new Pace(this.#ring);
    this.#generation = generation;
    this.#budget = budget;
    this.#queue = new OverflowQueue(budget);
    this.#maxFragmentBytes = (this.#ring.maxPayloadBytes - FRAGMENT_HEADER_BYTES) & ~3;
  }

  /** True if anything is waiting for room. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** True if a flush would write something into the ring. Loads the head again. */
  get canFlush(): boolean {
    return this.#isWaiting && this.#ring.hasRoom();
  }

  /** True if the other member has not yet read everything in the ring. */
  get isUnread(): boolean {
    return this.#ring.freeBytes() < this.#ring.capacityBytes;
  }

  /** Size of all waiting records in bytes. */
  get queuedBytes(): number {
    return this.#queue.topicBytes + this.#queue.controlBytes;
  }

  /**
   * Writes or queues a record, if possible. Whatever the outcome, earlier records may have moved.
   */
  offer(record: OutgoingRecord): OfferedOutcome {
    do {
      if (this.#isWaiting && this.#ring.hasRoom()) this.flush();
      if (!this.#isWaiting && this.#tryWrite(record)) return Offered.written;
    } while (this.#awaitRoom());
    return this.#wait(record);
  }

  /**
   * Moves waiting records into the ring, at most a ring's worth, and asks for room for the rest.
   * Before sleeping, the caller must check `canFlush`, since room may have become available.
   *
   * @returns whether the consumer has something new to read
   */
  flush(): boolean {
    let hasWritten = false;
    let movedBytes = 0;
    while (movedBytes < this.#ring.capacityBytes) {
      // This may exceed the bounds, but only by one notice, since nothing else waits here.
      if (this.#queue.isEmpty && !this.#lapped.isEmpty) this.#queue.push(this.#lapped.takeNotice());
      const record = this.#queue.front();
      if (record === undefined) {
        this.#isWaiting = false;
        this.#ring.stopAskingForRoom();
        return hasWritten;
      }
      const sentBefore = this.#sentBytes;
      const isWritten = this.#write(record);
      hasWritten ||= isWritten || this.#sentBytes > sentBefore;
      if (!isWritten) break;
      movedBytes += HEADER_BYTES + record.length;
      this.#queue.shift();
    }
    this.#isWaiting = true;
    this.#ring.askForRoom();
    return hasWritten;
  }

  /** Drops the topic records that wait, and notes their slots. @returns the number of records */
  shed(): number {
    let count = 0;
    this.#queue.removeTopics(this.#sentBytes > 0, (slot) => {
      this.#lapped.add(slot);
      count += 1;
    });
    return count;
  }

  /** Drops all waiting records. */
  forget(): void {
    this.#queue.clear();
    this.#lapped.clear();
    this.#sentBytes = 0;
    this.#isWaiting = false;
    this.#ring.stopAskingForRoom();
  }

  /** Writes a record or a part of it. @returns whether all of it is in the ring */
  #tryWrite(record: OutgoingRecord): boolean {
    if (record.length <= this.#ring.maxPayloadBytes) return this.#writeWhole(record);
    // A record that was started must be finished, so all of it must fit into the ring or the queue.
    const mayBegin =
      this.#sentBytes > 0 ||
      this.#ring.freeBytes() >= this.#ringBytesOf(record.length) ||
      this.#mayQueue(record, 0);
    return mayBegin && this.#write(record);
  }

  /** Waits for room as long as the patience allows. @returns whether there is room */
  #awaitRoom(): boolean {
    const hasRoom = this.#patience.waitFor(this.#to, this.#ring, this.pace);
    // The wait has asked for room, but nothing is waiting any more.
    if (!this.#isWaiting) this.#ring.stopAskingForRoom();
    return hasRoom;
  }

  /** Queues a record behind the waiting records, or drops it. */
  #wait(record: OutgoingRecord): OfferedOutcome {
    const isControl = record.slot === CONTROL_SLOT;
    const noticeBytes = this.#lapped.isEmpty ? 0 : queuedBytes(this.#lapped.noticeBytes);
    if (!this.#mayQueue(record, noticeBytes)) {
      if (isControl) return Offered.refused;
      this.#lapped.add(record.slot);
      this.#askToBeWoken();
      return Offered.lapped;
    }
    // A control record does not concern topics, so it need not follow the notice.
    if (!isControl && noticeBytes > 0) this.#queue.push(this.#lapped.takeNotice());
    this.#queue.push(record);
    this.#askToBeWoken();
    return Offered.queued;
  }

  #askToBeWoken(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#ring.askForRoom();
  }

  #mayQueue(record: OutgoingRecord, noticeBytes: number): boolean {
    const bytes = queuedBytes(record.length);
    if (record.slot === CONTROL_SLOT) {
      return this.#queue.controlBytes + bytes <= this.#budget.controlBytes;
    }
    if (this.#queue.topicBytes + noticeBytes + bytes > this.#budget.overflowBytes) return false;
    // A copy that is waiting for another member has already been counted.
    const newBytes = noticeBytes + (record.waiting === undefined ? bytes : 0);
    return this.#budget.topicBytesWaiting + newBytes <= this.#budget.overflowTotalBytes;
  }

  /**
   * Returns the maximum number of bytes that a record occupies in the ring, in fragments and with
   * padding.
   */
  #ringBytesOf(length: number): number {
    const fragments = Math.ceil(length / this.#maxFragmentBytes);
    const headers = fragments * align(HEADER_BYTES + FRAGMENT_HEADER_BYTES);
    return align(length) + headers + this.#ring.maxPayloadBytes + HEADER_BYTES;
  }

  /** Writes a record, or continues writing it. @returns whether all of it is in the ring */
  #write(record: OutgoingRecord): boolean {
    if (record.length <= this.#ring.maxPayloadBytes) return this.#writeWhole(record);
    while (this.#sentBytes < record.length) {
      const length = Math.min(this.#maxFragmentBytes, record.length - this.#sentBytes);
      if (!this.#writeFragment(record, this.#sentBytes, length)) return false;
      this.#sentBytes += length;
    }
    this.#sentBytes = 0;
    return true;
  }

  #writeWhole(record: OutgoingRecord): boolean {
    const offset = this.#ring.claim(packType(record.type, this.#generation), record.length);
    if (offset < 0) return false;
    record.copyTo(this.#ring.views, offset, 0, record.length);
    this.#ring.commit();
    return true;
  }

  #writeFragment(record: OutgoingRecord, start: number, length: number): boolean {
    const type = packType(FRAGMENT_KIND, this.#generation);
    const offset = this.#ring.claim(type, FRAGMENT_HEADER_BYTES + length);
    if (offset < 0) return false;
    const { words } = this.#ring.views;
    words[offset >> 2] = record.length;
    words[(offset >> 2) + 1] = start;
    words[(offset >> 2) + 2] = record.type;
    record.copyTo(this.#ring.views, offset + FRAGMENT_HEADER_BYTES, start, length);
    this.#ring.commit();
    return true;
  }
}
