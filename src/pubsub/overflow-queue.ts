/**
 * Records that wait for room in one ring, in order, and what all queues of a producer hold.
 *
 * Runs on: the producer's thread.
 * Full:    the queue itself has no bound; `Outbound` asks before it adds.
 */

import { CONTROL_SLOT, queuedBytes } from "./outgoing-record.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";

/** Bounds of what waits, and how much waits in all queues of one producer. */
export class OverflowBudget {
  /** Bound of the topics' records that wait for one member. */
  readonly pairBytes: number;
  /** Bound of the control records that wait for one member. */
  readonly controlBytes: number;
  /** Bound of the topics' records that wait for all members, each counted once. */
  readonly totalBytes: number;
  /** Topics' records that wait for any member, each counted once. */
  topicBytesWaiting = 0;
  /** Control records that wait for any member. */
  controlBytesWaiting = 0;

  constructor(bounds: { pairBytes: number; controlBytes: number; totalBytes: number }) {
    this.pairBytes = bounds.pairBytes;
    this.controlBytes = bounds.controlBytes;
    this.totalBytes = bounds.totalBytes;
  }

  get waitingBytes(): number {
    return this.topicBytesWaiting + this.controlBytesWaiting;
  }
}

/** What waits for one member. */
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

  /** Gives the record that waits longest. */
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
    // Moving the rest down only when half has left keeps this cheap for a long queue.
    if (this.#front * 2 < this.#records.length) return;
    this.#records.splice(0, this.#front);
    this.#front = 0;
  }

  /** Removes all. */
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
