/**
 * The shard's one coarse clock: what must be looked at now and then is looked at here.
 *
 * Runs on: shard.
 */

/** Something that is looked at on each tick. */
export type SweepTask = (tick: number) => void;

/** Ticks at a fixed pace and calls each task. */
export class Sweep {
  readonly tickMs: number;
  readonly #tasks: SweepTask[] = [];
  #timer: NodeJS.Timeout | undefined;
  #tick = 0;

  /** @param tickMs - time between two looks */
  constructor(tickMs: number) {
    this.tickMs = tickMs;
  }

  /** Ticks since the start: the time that costs nothing to read. */
  get tick(): number {
    return this.#tick;
  }

  add(task: SweepTask): void {
    this.#tasks.push(task);
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#tick += 1;
      for (const task of this.#tasks) task(this.#tick);
    }, this.tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** Returns a pace at which a time limit is noticed at most a quarter late. */
export function tickFor(...limitsMs: readonly number[]): number {
  return Math.min(Math.max(Math.min(...limitsMs) / 8, 10), 1_000);
}
