/**
 * Limits how often a shard is replaced, so that one that always fails does not keep the machine busy.
 *
 * Runs on: main.
 */

const MOST_RESTARTS = 5;
const WINDOW_MS = 60_000;

/** Counts the replacements of each shard. */
export class RestartBound {
  readonly #timesMs = new Map<number, number[]>();

  /** Counts a replacement. Returns false if the shard has had 5 within the last minute. */
  tryCount(shard: number, nowMs: number): boolean {
    const recent = (this.#timesMs.get(shard) ?? []).filter((timeMs) => nowMs - timeMs < WINDOW_MS);
    const isAllowed = recent.length < MOST_RESTARTS;
    if (isAllowed) recent.push(nowMs);
    this.#timesMs.set(shard, recent);
    return isAllowed;
  }
}
