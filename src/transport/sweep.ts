/**
 * The shard's coarse clock, which runs all periodic checks.
 *
 * Runs on: shard.
 */

/** A check that runs on each tick. */
export type SweepTask = (tick: number) => void;

/** A clock that calls each of its tasks at a fixed interval. */
export class Sweep {
  readonly tickMs: number;
  readonly #tasks: SweepTask[] = [];
  #timer: NodeJS.Timeout | undefined;
  #tick = 0;

  /** @param tickMs - time between two ticks */
  constructor(tickMs: number) {
    this.tickMs = tickMs;
  }

  /** Number of ticks since the start, a time that costs nothing to read. */
  get tick(): number {
    return this.#tick;
  }

  add(task: SweepTask): void {
    this.#tasks.push(task);
  }

  start(): void {
    this.#timer = setTimeout(() => {
      // First, so that the next tick comes even if main ends what a task calls (`shard/forced-end`).
      this.start();
      this.#tick += 1;
      for (const task of this.#tasks) task(this.#tick);
    }, this.tickMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** Returns an interval (ms) at which each time limit is noticed at most a quarter late. */
export function tickFor(...limitsMs: readonly number[]): number {
  return Math.min(Math.max(Math.min(...limitsMs) / 8, 10), 1_000);
}
