/**
 * Limits how often a shard is replaced, so that a shard that keeps failing does not overload the
 * machine.
 *
 * Runs on: main.
 */

const MAX_RESTARTS = 5;
const WINDOW_MS = 60_000;

/** Counts the replacements of each shard. */
export class RestartBound {
  readonly #timesMs = new Map<number, number[]>();

  /** Counts a restart. @returns false if the shard was already restarted 5 times within a minute */
  tryCount(shard: number, nowMs: number): boolean {
    const recent = (this.#timesMs.get(shard) ?? []).filter((timeMs) => nowMs - timeMs < WINDOW_MS);
    const isAllowed = recent.length < MAX_RESTARTS;
    if (isAllowed) recent.push(nowMs);
    this.#timesMs.set(shard, recent);
    return isAllowed;
  }
}
