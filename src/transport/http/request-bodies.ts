/**
 * The request bodies of a shard that nobody has taken yet: their time limit, and the bytes that they take.
 *
 *   begin --grew--> incomplete --completed--> whole, for a request that waits --end--> no longer counted
 *                       +--`bodyTimeoutMs`, end--> no longer counted
 *
 * A client that sends its body too slowly is answered with 408.
 *
 * Runs on: shard; one for each. The sweep looks for late bodies, so that a request costs no timer.
 * Full: if the node holds too much (`maxBufferBytes`), the largest bodies are given up, and answered with 503.
 */

import type { BufferVisit } from "../../held-bytes.ts";
import type { Sweep } from "../sweep.ts";

/** A body that is being collected, or waits. */
export interface PendingBody {
  /** Memory that it takes. */
  readonly heldBytes: number;
  /** Gives up the body, because it took too long. */
  bodyIsLate(): void;
  /** Gives up the body, because the node holds too much. */
  shed(): void;
}

/** The bodies of a shard. */
export class RequestBodies {
  readonly #limitMs: number;
  /** When each incomplete body is late (ms, as `performance.now`), in that order. */
  readonly #lateAtMs = new Map<PendingBody, number>();
  readonly #whole = new Set<PendingBody>();
  #heldBytes = 0;

  constructor(limitMs: number, sweep: Sweep) {
    this.#limitMs = limitMs;
    sweep.add(() => this.#check(performance.now()));
  }

  /** The number of incomplete bodies. */
  get size(): number {
    return this.#lateAtMs.size;
  }

  /** Bytes of all bodies. */
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

  /** Ends the time of a body that is complete, but not taken yet. */
  completed(body: PendingBody): void {
    if (this.#lateAtMs.delete(body)) this.#whole.add(body);
  }

  /** Forgets a body that is taken or given up, while it still has its bytes. More calls have no effect. */
  end(body: PendingBody): void {
    const isKnown = this.#lateAtMs.delete(body) || this.#whole.delete(body);
    if (isKnown) this.#heldBytes -= body.heldBytes;
  }

  /** Visits each body. */
  visitHeld(visit: BufferVisit): void {
    for (const bodies of [this.#lateAtMs.keys(), this.#whole]) {
      for (const body of bodies) if (body.heldBytes > 0) visit(body, body.heldBytes);
    }
  }

  #check(nowMs: number): void {
    for (const [body, lateAtMs] of this.#lateAtMs) {
      if (lateAtMs > nowMs) return;
      body.bodyIsLate();
    }
  }
}
