/**
 * Measures the lag of this thread's event loop: how late a timer fires.
 *
 * Runs on: shard.
 */

/** Time between two samples. Ten samples per second have no measurable cost. */
const SAMPLE_MS = 100;

/** Samples the event loop's lag. */
export class LoopLag {
  readonly #onSample: (lagMs: number) => void;
  readonly #sample = (): void => this.#take();
  #timer: NodeJS.Timeout | undefined;
  #lastMs = 0;

  /** @param onSample - called with each sample */
  constructor(onSample: (lagMs: number) => void) {
    this.#onSample = onSample;
  }

  start(): void {
    this.#lastMs = performance.now();
    this.#timer = setInterval(this.#sample, SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #take(): void {
    const nowMs = performance.now();
    const lagMs = Math.max(0, nowMs - this.#lastMs - SAMPLE_MS);
    this.#lastMs = nowMs;
    this.#onSample(lagMs);
  }
}
