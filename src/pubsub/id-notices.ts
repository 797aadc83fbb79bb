/**
 * Notifies the listeners of IDs that a disconnect may have been lost, at the pace of a drain.
 *
 * Each of them closes its connection, and its client connects again. If the connection to the other nodes was lost for a
 * moment, every connection with an ID is affected, and all of their clients would otherwise reconnect at once.
 *
 * Runs on: shard; one for each.
 * Full: if that would take longer than `drainLimitMs`, the pace is faster.
 */

import type { ResolvedOptions } from "../options/options.ts";
import type { TopicEntry, Listener } from "./registry.ts";

/** The options that set the pace. */
export type NoticePace = Pick<
  ResolvedOptions,
  "drainBatch" | "drainIntervalMs" | "drainLimitMs" | "shards"
>;

/** Time between two steps. */
const STEP_MS = 20;

/** The listeners of a shard that have not been notified yet. */
export class IdNotices {
  readonly #pace: NoticePace;
  readonly #tell: (topic: string, listener: Listener) => void;
  readonly #waiting = new Map<Listener, string>();
  #timer: NodeJS.Timeout | undefined = undefined;
  #perStep = 0;

  /** @param tell - must not throw */
  constructor(pace: NoticePace, tell: (topic: string, listener: Listener) => void) {
    this.#pace = pace;
    this.#tell = tell;
  }

  /** Adds all listeners of IDs. One that is added again before it is notified is notified once. */
  addAll(entries: Iterable<TopicEntry<unknown>>): void {
    for (const { topic, listeners } of entries) {
      for (const listener of listeners?.keys() ?? []) {
        if (listener.isOfId === true) this.#waiting.set(listener, topic);
      }
    }
    if (this.#waiting.size === 0) return;
    this.#perStep = Math.max(this.#perStep, stepOf(this.#waiting.size, this.#pace));
    // Unreferenced, so that the timer does not keep a closed thread alive.
    this.#timer ??= setInterval(() => this.#step(), STEP_MS).unref();
  }

  /** Stops notifying. */
  stop(): void {
    clearInterval(this.#timer);
    this.#waiting.clear();
  }

  #step(): void {
    let left = this.#perStep;
    for (const [listener, topic] of this.#waiting) {
      if (left < Math.random()) return;
      left -= 1;
      this.#waiting.delete(listener);
      this.#tell(topic, listener);
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#perStep = 0;
  }
}

/** Returns how many listeners are notified in one step. A fraction is the probability of one more. */
function stepOf(count: number, pace: NoticePace): number {
  const { drainBatch, drainIntervalMs, drainLimitMs, shards } = pace;
  const wantedMs = (count / (drainBatch / shards)) * drainIntervalMs;
  return (count * STEP_MS) / Math.max(Math.min(wantedMs, drainLimitMs), STEP_MS);
}
