/**
 * What one client has heard of its topic: each number must arrive once, and in order.
 *
 * An absence begins when the connection ends. It ends when the client is level: when the first message
 * arrives that was published after the client was back. A client is back when its new connection is open.
 *
 * Runs on: the clients' process. Reads no clock: times are passed in.
 */

import type { Message } from "./load.ts";

/** The sum of what clients have heard. */
export interface Heard {
  /** Numbers that have arrived, each counted once. */
  delivered: number;
  /** Messages that had arrived before. */
  doubled: number;
  /** Messages that arrived after one with a higher number. */
  disordered: number;
  /** How often a client was told that something is missing. */
  told: number;
  /** Number of times that a client was back after an absence. */
  returns: number;
  /** Time from being back to the last message of each absence in which a client had missed some, in ms. */
  readonly recoveriesMs: number[];
}

/** Returns the sum of clients that have heard nothing. */
export function nothingHeard(): Heard {
  return { delivered: 0, doubled: 0, disordered: 0, told: 0, returns: 0, recoveriesMs: [] };
}

/** The hearing of one client. Its counts are added to a sum that clients share. */
export class Hearing {
  readonly #sum: Heard;
  readonly #missing = new Set<number>();
  #highest = 0;
  /** When the client was back; undefined if it is away, or level. */
  #backAt: number | undefined = undefined;
  /** When the last message of the absence arrived. */
  #lastMissedAt: number | undefined = undefined;
  #hasBeenHere = false;
  hasEnded = false;

  constructor(sum: Heard) {
    this.#sum = sum;
  }

  /** Reports whether all numbers up to one have arrived. */
  hasAll(last: number): boolean {
    return this.#highest >= last && this.#missing.size === 0;
  }

  /** The client's connection is open. */
  back(now: number): void {
    this.leave();
    if (this.#hasBeenHere) {
      this.#sum.returns += 1;
      this.#backAt = now;
    }
    this.#hasBeenHere = true;
  }

  /** The connection has ended, or the run. */
  leave(): void {
    if (this.#backAt !== undefined && this.#lastMissedAt !== undefined) {
      this.#sum.recoveriesMs.push(this.#lastMissedAt - this.#backAt);
    }
    this.#backAt = undefined;
    this.#lastMissedAt = undefined;
  }

  /** The server says that something is missing. */
  told(): void {
    this.#sum.told += 1;
  }

  /** A message has arrived. */
  hear({ n, at }: Message, now: number): void {
    if (this.#backAt !== undefined) {
      if (at < this.#backAt) this.#lastMissedAt = now;
      else this.leave();
    }
    if (n > this.#highest) {
      for (let missed = this.#highest + 1; missed < n; missed++) this.#missing.add(missed);
      this.#highest = n;
      this.#sum.delivered += 1;
    } else if (this.#missing.delete(n)) {
      this.#sum.delivered += 1;
      this.#sum.disordered += 1;
    } else {
      this.#sum.doubled += 1;
    }
  }
}
