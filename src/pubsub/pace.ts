/**
 * How one member takes what is written to it: whether its head moves.
 *
 *   moving --head still and no room for STALLED_AFTER_MS--> stalled
 *     ^                                                       |
 *     +---------------- head moved, or nothing waits ---------+
 *
 * Runs on: the producer's thread.
 */

import type { RingProducer } from "../memory/ring.ts";

/** A member whose head stands still for so long, with records before it, is stalled. */
export const STALLED_AFTER_MS = 50;

/** What a look at a member's head found out. */
export type PaceChange = "stalled" | "goes on" | undefined;

/** The pace of one member. */
export class Pace {
  readonly #ring: RingProducer;
  /** The head when this member was last waited for. */
  #headAtWait: number | undefined = undefined;
  /** The head at the last look, and since when it is there. */
  #head: number;
  #sinceMs = 0;
  #isBehind = false;
  #isStalled = false;

  constructor(ring: RingProducer) {
    this.#ring = ring;
    this.#head = ring.head();
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** When the head came to where it stands, as `performance.now` gave it to `look`. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /**
   * Begins a wait for this member, where one may bring something.
   *
   * @returns false where the head has not moved since the last wait began, or the member is stalled
   */
  beginWait(): boolean {
    const head = this.#ring.head();
    if (head === this.#headAtWait) return false;
    if (this.#isStalled && head === this.#head) return false;
    this.#headAtWait = head;
    return true;
  }

  /**
   * Looks at the head again.
   *
   * @param isBehind - whether something waits for room that is not there
   */
  look(isBehind: boolean, nowMs: number): PaceChange {
    const head = this.#ring.head();
    const hasStood = isBehind && this.#isBehind && head === this.#head;
    this.#isBehind = isBehind;
    if (hasStood) {
      if (this.#isStalled || nowMs - this.#sinceMs < STALLED_AFTER_MS) return undefined;
      this.#isStalled = true;
      return "stalled";
    }
    this.#head = head;
    this.#sinceMs = nowMs;
    if (!this.#isStalled) return undefined;
    this.#isStalled = false;
    return "goes on";
  }
}
