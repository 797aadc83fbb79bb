/**
 * Notes the callback that a shard runs where main can read it, and reports callbacks that hold the
 * event loop for too long.
 *
 * A callback costs no clock read: main stores the time in shared memory every TICK_MS, and a callback is
 * measured only if that word has changed enough while it ran. If main's own loop is blocked, no slow
 * callbacks are reported.
 *
 * Runs on: shard.
 * Full: at most one line per 10 s, with the number of slow callbacks since the last one. Counter and
 *       telemetry have all of them.
 */

import type { CallbackWatch } from "../callbacks/callbacks.ts";
import { monotonicMs } from "../limits/clock.ts";
import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { TICK_MS } from "../memory/life-layout.ts";
import type { Life } from "../memory/life.ts";
import type { RunningNote } from "../memory/running.ts";
import { telemetry } from "../telemetry.ts";

const LINE_INTERVAL_MS = 10_000;

/** The dependencies of a SlowCallbacks. */
export interface SlowCallbacksParts {
  readonly life: Life;
  readonly note: RunningNote;
  /** Time that a callback may hold the loop without a report. */
  readonly slowCallbackMs: number;
  readonly counters: Counters;
  readonly logger: Logger;
}

/** Watches the callbacks of one shard. */
export class SlowCallbacks implements CallbackWatch {
  readonly #life: Life;
  readonly #note: RunningNote;
  readonly #minTicksMs: number;
  readonly #parts: SlowCallbacksParts;
  #lineMs = -Infinity;
  /** Slow callbacks since the last line. */
  #count = 0;

  constructor(parts: SlowCallbacksParts) {
    this.#parts = parts;
    this.#life = parts.life;
    this.#note = parts.note;
    // The time can be TICK_MS old when a callback ends.
    this.#minTicksMs = parts.slowCallbackMs - TICK_MS;
  }

  begins(topic: string, event: string): number {
    this.#note.write(topic, event);
    return this.#life.timeMs;
  }

  ends(topic: string, event: string, since: number): void {
    this.#note.clear();
    if (((this.#life.timeMs - since) | 0) >= this.#minTicksMs) this.#measure(topic, event, since);
  }

  #measure(topic: string, event: string, since: number): void {
    const nowMs = monotonicMs();
    const durationMs = this.#life.sinceMs(since, nowMs);
    const { slowCallbackMs, counters, logger } = this.#parts;
    if (durationMs < slowCallbackMs) return;
    counters.add(COUNTER.slowCallbacks);
    this.#count += 1;
    const { slow_callback: channel } = telemetry;
    if (channel.hasSubscribers) channel.publish({ topic, event, durationMs });
    if (nowMs - this.#lineMs < LINE_INTERVAL_MS) return;
    logger.log("slowCallback", { topic, event, durationMs, count: this.#count });
    this.#lineMs = nowMs;
    this.#count = 0;
  }
}
