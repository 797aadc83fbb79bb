/**
 * Presses of doorbells that wait for the end of the coalescing window.
 *
 * Runs on: the producer's thread.
 * Full:    a member is woken as soon as half of its ring would be written without a press, so that
 *          nobody stands still for a member that sleeps.
 */

import type { CoalescingWindow } from "./coalescing-window.ts";

/** What it is made of. */
export interface LatePressesParts {
  readonly members: number;
  readonly ringBytes: number;
  readonly window: CoalescingWindow;
  /** Wakes a member, where it sleeps. */
  readonly press: (member: number) => void;
}

/** The members that this one has written to, and not woken. */
export class LatePresses {
  readonly #window: CoalescingWindow;
  readonly #press: (member: number) => void;
  readonly #mostBytes: number;
  /** By member: what was written to it since the last press. */
  readonly #bytes: Float64Array;

  constructor({ members, ringBytes, window, press }: LatePressesParts) {
    this.#window = window;
    this.#press = press;
    this.#mostBytes = ringBytes / 2;
    this.#bytes = new Float64Array(members);
    window.onEnd(() => this.pressAll());
  }

  /**
   * Notes that a record is about to be written.
   *
   * @param recordBytes - what it takes in the ring
   * @returns whether the press for it may wait; where not, what was written before has its press
   */
  mayWait(member: number, recordBytes: number): boolean {
    const bytes = (this.#bytes[member] ?? 0) + recordBytes;
    if (bytes > this.#mostBytes) {
      this.#bytes[member] = 0;
      this.#press(member);
      return false;
    }
    this.#bytes[member] = bytes;
    this.#window.open();
    return true;
  }

  /** Gives each member the press that waits for it. */
  pressAll(): void {
    for (let member = 0; member < this.#bytes.length; member += 1) {
      if (this.#bytes[member] === 0) continue;
      this.#bytes[member] = 0;
      this.#press(member);
    }
  }
}
