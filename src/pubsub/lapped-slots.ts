/**
 * The slots whose records one member lost, until it can be told.
 *
 * Runs on: the producer's thread; `unpackLapped` on the consumer's.
 * Full:    from MAX_LAPPED_SLOTS different slots on it is "all".
 */

import { LAPPED_KIND } from "./exchange-layout.ts";
import { OutgoingRecord } from "./outgoing-record.ts";

/** Slots whose records were lost; "all" where there were too many to name. */
export type LappedNotice = Int32Array | "all";

/** Most slots that a notice names. */
const MAX_LAPPED_SLOTS = 1_024;

/** Collects the slots that one member lost records of. */
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

  /** Notes what another noted. */
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

  /** What was noted. */
  notice(): LappedNotice {
    return this.#isAll ? "all" : Int32Array.from(this.#slots);
  }

  /** Makes the record that tells of all that was noted, and forgets it. */
  takeNotice(): OutgoingRecord {
    // All are told by none.
    const slots = Int32Array.from(this.#slots);
    const record = new OutgoingRecord();
    record.set(new Uint8Array(slots.buffer), slots.byteLength);
    record.type = LAPPED_KIND;
    // Never read: a notice is not lapped. But it counts with the topics' records.
    record.slot = 0;
    this.clear();
    return record;
  }
}

/** Reads the payload of a notice. The slots are a copy, good for keeping. */
export function unpackLapped(bytes: Uint8Array, offset: number, length: number): LappedNotice {
  if (length === 0) return "all";
  // A copy, since a payload's bytes are only valid during the call.
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(offset, offset + length));
  return new Int32Array(copy.buffer);
}
