/**
 * The heartbeat of a shard: ten times a second, shows main that the event loop turns, and measures the
 * loop's lag, which is how late the beat is.
 *
 * Runs on: shard.
 */

import { BEAT_MS } from "../memory/life-layout.ts";
import type { Life } from "../memory/life.ts";

/** The heartbeat of one shard. */
export class Heartbeat {
  readonly #life: Life;
  readonly #member: number;
  readonly #onBeat: (lagMs: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #lastMs = 0;

  /** @param onBeat - called with each beat, at the beginning of a turn */
  constructor(life: Life, member: number, onBeat: (lagMs: number) => void) {
    this.#life = life;
    this.#member = member;
    this.#onBeat = onBeat;
  }

  start(): void {
    this.#lastMs = performance.now();
    this.#timer = setTimeout(() => this.#beat(), BEAT_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #beat(): void {
    // First, so that the next beat comes even if main ends what `onBeat` calls.
    this.#timer = setTimeout(() => this.#beat(), BEAT_MS);
    this.#life.beat(this.#member);
    const nowMs = performance.now();
    const lagMs = Math.max(0, nowMs - this.#lastMs - BEAT_MS);
    this.#lastMs = nowMs;
    this.#onBeat(lagMs);
  }
}
