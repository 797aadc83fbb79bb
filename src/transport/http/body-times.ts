/**
 * The time limit for request bodies: a client that sends one too slowly is answered with 408.
 *
 * Runs on: shard; one for each. The sweep looks for late bodies, so that a request costs no timer.
 */

import type { Sweep } from "../sweep.ts";

/** A request whose body is not complete. */
export interface PendingBody {
  /** Gives up the body. */
  bodyIsLate(): void;
}

/** The incomplete bodies of a shard. */
export class BodyTimes {
  readonly #limitMs: number;
  /** When each is late (ms, as `performance.now`), in that order. */
  readonly #lateAtMs = new Map<PendingBody, number>();

  constructor(limitMs: number, sweep: Sweep) {
    this.#limitMs = limitMs;
    sweep.add(() => this.#check(performance.now()));
  }

  /** The number of incomplete bodies. */
  get size(): number {
    return this.#lateAtMs.size;
  }

  /** Starts the time of a body. */
  begin(body: PendingBody): void {
    this.#lateAtMs.set(body, performance.now() + this.#limitMs);
  }

  /** Ends the time of a body that is complete, or no longer wanted. More calls have no effect. */
  end(body: PendingBody): void {
    this.#lateAtMs.delete(body);
  }

  #check(nowMs: number): void {
    for (const [body, lateAtMs] of this.#lateAtMs) {
      if (lateAtMs > nowMs) return;
      this.#lateAtMs.delete(body);
      body.bodyIsLate();
    }
  }
}
