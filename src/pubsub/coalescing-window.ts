/**
 * The time in which what may wait is held, so that it leaves together.
 *
 * Windows of all threads end at the same moments, the multiples of their length on the system's
 * monotonic clock: what threads hold meets in the others' loops, and a thread is woken once for
 * all that woke it. What is held waits half a window on average, and a window at most.
 *
 * Runs on: shard; one for each, where there is one.
 * Order:   what was held first leaves first; the tasks run in the order in which they were added.
 */

import type { HoldingWindow } from "./holding-window.ts";

const MS_PER_SECOND = 1_000;
const NS_PER_MS = 1_000_000;

/** A shard's window. Open while something is held. */
export class CoalescingWindow implements HoldingWindow {
  readonly #lengthMs: number;
  readonly #tasks: (() => void)[] = [];
  readonly #onTimer = (): void => this.end();
  #timer: NodeJS.Timeout | undefined;

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs;
  }

  /** Has a task called at each window's end: it lets go of what it holds. */
  onEnd(task: () => void): void {
    this.#tasks.push(task);
  }

  /** It holds every broadcast. */
  takes(): boolean {
    return true;
  }

  /** Opens it, unless it is. */
  open(): void {
    if (this.#timer !== undefined) return;
    // The one clock that all threads of a process read alike.
    const [seconds, nanoseconds] = process.hrtime();
    const nowMs = seconds * MS_PER_SECOND + nanoseconds / NS_PER_MS;
    this.#timer = setTimeout(this.#onTimer, leftMs(nowMs, this.#lengthMs));
  }

  /** Ends it at once, if it is open. */
  end(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const task of this.#tasks) task();
  }
}

/** Gives the time from now until windows of a length end (whole ms, at least 1, rounded up). */
export function leftMs(nowMs: number, lengthMs: number): number {
  return Math.ceil(lengthMs - (nowMs % lengthMs));
}

/** Makes a shard's window. @returns undefined for a length of 0 ms: nothing is held */
export function makeCoalescingWindow(lengthMs: number): CoalescingWindow | undefined {
  return lengthMs > 0 ? new CoalescingWindow(lengthMs) : undefined;
}
