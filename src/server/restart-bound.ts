/**
 * Limits how often a shard is replaced, so that one that keeps failing does not occupy the machine.
 *
 * Runs on: main.
 */

const MAX_RESTARTS = 5;
const WINDOW_MS = 60_000;

/** Counts the replacements of each shard. */
export class RestartBound {
  readonly #timesMs = new Map<number, number[]>();

  /** Counts a restart. @returns false if the shard has had 5 within the last minute */
  tryCount(shard: number, nowMs: number): boolean {
    const recent = (this.#timesMs.get(shard) ?? []).filter((timeMs) => nowMs - timeMs < WINDOW_MS);
    const isAllowed = recent.length < MAX_RESTARTS;
    if (isAllowed) recent.push(nowMs);
    this.#timesMs.set(shard, recent);
    return isAllowed;
  }
}
