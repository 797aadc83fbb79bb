/**
 * Watches the members that something waits for, and tells when one stalls and when it goes on.
 *
 * Runs on: the producer's thread. Looks by a timer, and only while something waits; the timer
 *          keeps no thread alive.
 */

import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { telemetry } from "../telemetry.ts";
import type { Outbound } from "./outbound.ts";
import { STALLED_AFTER_MS } from "./pace.ts";

/** A member that began to stand still, or goes on. */
export interface Stall {
  readonly member: number;
  /** False: it goes on, or its number was retired. */
  readonly isStalled: boolean;
  /** How long it has stood still, about. */
  readonly forMs: number;
  /** What waits for it. */
  readonly queuedBytes: number;
}

/** What a stall watch is made of. */
export interface StallWatchParts {
  /** By member. */
  readonly outbound: readonly (Outbound | undefined)[];
  readonly counters: Counters;
  readonly onStall: (stall: Stall) => void;
}

/** Looks come twice as often as what they look for, so that none is seen much too late. */
const LOOK_EVERY_MS = STALLED_AFTER_MS / 2;

/** The watch of one member over all others. */
export class StallWatch {
  readonly #parts: StallWatchParts;
  #timer: NodeJS.Timeout | undefined = undefined;
  readonly #onTimer = (): void => this.#lookAtAll();

  constructor(parts: StallWatchParts) {
    this.#parts = parts;
  }

  /** Begins to look, where it does not look already: something waits. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(this.#onTimer, LOOK_EVERY_MS).unref();
    this.#lookAtAll();
  }

  /** Looks no more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #lookAtAll(): void {
    const { outbound, counters } = this.#parts;
    const nowMs = performance.now();
    let isAnyWaiting = false;
    let stalled = 0;
    for (const [member, one] of outbound.entries()) {
      if (one === undefined) continue;
      this.#lookAt(member, one, nowMs);
      isAnyWaiting ||= one.isWaiting;
      if (one.pace.isStalled) stalled += 1;
    }
    counters.set(COUNTER.stalledMembers, stalled);
    if (!isAnyWaiting) this.stop();
  }

  #lookAt(member: number, outbound: Outbound, nowMs: number): void {
    const { pace, queuedBytes } = outbound;
    const { sinceMs } = pace;
    const change = pace.look(outbound.isWaiting && !outbound.canFlush, nowMs);
    if (change === undefined) return;
    const forMs = Math.round(nowMs - sinceMs);
    const stall = { member, isStalled: change === "stalled", forMs, queuedBytes };
    if (telemetry.stalled.hasSubscribers) telemetry.stalled.publish(stall);
    this.#parts.onStall(stall);
  }
}
