/**
 * The incomplete request bodies of a shard: their time limit, and the bytes that they take.
 *
 * A client that sends its body too slowly is answered with 408.
 *
 * Runs on: shard; one for each. The sweep looks for late bodies, so that a request costs no timer.
 * Full: if the node holds too much (`maxBufferBytes`), the largest bodies are given up, and answered with 503.
 */

import type { Sweep } from "../sweep.ts";

/** A request whose body is not complete. */
export interface PendingBody {
  /** Memory that the part which has arrived takes. */
  readonly bodyBytes: number;
  /** Gives up the body, because it took too long. */
  bodyIsLate(): void;
  /** Gives up the body, because the node holds too much. */
  shed(): void;
}

/** The incomplete bodies of a shard. */
export class BodyTimes {
  readonly #limitMs: number;
  /** When each is late (ms, as `performance.now`), in that order. */
  readonly #lateAtMs = new Map<PendingBody, number>();
  #heldBytes = 0;

  constructor(limitMs: number, sweep: Sweep) {
    this.#limitMs = limitMs;
    sweep.add(() => this.#check(performance.now()));
  }

  /** The number of incomplete bodies. */
  get size(): number {
    return this.#lateAtMs.size;
  }

  /** Bytes of all incomplete bodies. */
  get maxHeldBytes(): number {
    return this.#heldBytes;
  }

  /** Starts the time of a body. */
  begin(body: PendingBody): void {
    this.#lateAtMs.set(body, performance.now() + this.#limitMs);
  }

  /** Counts the bytes by which a body has grown. Called after `begin` and before `end`. */
  grew(bytes: number): void {
    this.#heldBytes += bytes;
  }

  /** Ends the time of a body that is complete, or no longer wanted. More calls have no effect. */
  end(body: PendingBody): void {
    if (this.#lateAtMs.delete(body)) this.#heldBytes -= body.bodyBytes;
  }

  /** Visits each incomplete body. */
  visitHeld(visit: (body: PendingBody, bytes: number) => void): void {
    for (const body of this.#lateAtMs.keys()) if (body.bodyBytes > 0) visit(body, body.bodyBytes);
  }

  #check(nowMs: number): void {
    for (const [body, lateAtMs] of this.#lateAtMs) {
      if (lateAtMs > nowMs) return;
      this.end(body);
      body.bodyIsLate();
    }
  }
}
