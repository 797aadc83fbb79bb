/**
 * Runs a member's turns while there is work, and lets its thread sleep when there is none.
 *
 *   stopped --start--> due --setImmediate--> turn --more work--> due
 *                       ^                     |
 *                       |                     +--no work--> asleep --pressed--> turn
 *                       +---- work seen by the second look ----+
 *
 * Runs on: a member's thread.
 * Order:   arms the doorbell, looks for work again, then sleeps (see memory/doorbell.ts).
 *          Between turns there is a setImmediate, not just a resolved promise, so that sockets are
 *          served.
 */

import type { Doorbell } from "../memory/doorbell.ts";

/** The work of a loop. */
export interface DrainLoopWork {
  /** Does a bounded part of the work. @returns whether there may be more */
  turn(): boolean;
  /** Reports whether there is work, by looking at shared memory again. */
  hasWork(): boolean;
}

/** The loop of one member. */
export class DrainLoop {
  readonly #doorbell: Doorbell;
  readonly #member: number;
  readonly #work: DrainLoopWork;
  #isRunning = false;
  /** True if `#run` will be called, by setImmediate or by a press. */
  #isPending = false;
  /** True if it will be called by a press. */
  #isAsleep = false;
  readonly #onImmediate = (): void => this.#run();
  readonly #onPressed = (): void => {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.#doorbell.disarm();
    this.#run();
  };

  constructor(doorbell: Doorbell, member: number, work: DrainLoopWork) {
    this.#doorbell = doorbell;
    this.#member = member;
    this.#work = work;
  }

  /** Schedules the first turn. */
  start(): void {
    this.#isRunning = true;
    if (this.#isPending) return;
    this.#yield();
  }

  /** Ends the loop: no turn begins after this call. */
  stop(): void {
    this.#isRunning = false;
    // Ends a wait for the doorbell; the call of #run that follows does nothing.
    this.#doorbell.pressAlways(this.#member);
  }

  /**
   * Continues after main has ended what a turn had called, with the rest of the turn, or has made the thread forget a
   * press (`shard/forced-end`).
   */
  recover(): void {
    if (!this.#isRunning || (this.#isPending && !this.#isAsleep)) return;
    this.#isAsleep = false;
    this.#doorbell.disarm();
    this.#yield();
  }

  #yield(): void {
    this.#isPending = true;
    setImmediate(this.#onImmediate);
  }

  #run(): void {
    this.#isPending = false;
    if (!this.#isRunning) return;
    let isMore = true;
    try {
      isMore = this.#work.turn();
    } finally {
      // Even if the turn threw: the next one continues after what was read.
      if (isMore && this.#isRunning) this.#yield();
    }
    if (!isMore && this.#isRunning) this.#sleep();
  }

  #sleep(): void {
    this.#doorbell.arm();
    const pressed = this.#work.hasWork() ? undefined : this.#doorbell.wait();
    if (pressed === undefined) {
      this.#doorbell.disarm();
      this.#yield();
      return;
    }
    this.#isPending = true;
    this.#isAsleep = true;
    void pressed.then(this.#onPressed);
  }
}
