/**
 * The delay before the next attempt, which grows each time and is partly random.
 *
 * Runs on: any thread.
 */

/** Delays between attempts. */
export class Backoff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  readonly #random: () => number;
  #tries = 0;

  /**
   * @param firstMs - delay before the second attempt
   * @param mostMs - longest delay
   * @param random - returns a number from 0 to 1
   */
  constructor(firstMs: number, mostMs: number, random: () => number = Math.random) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
    this.#random = random;
  }

  /** Returns the next delay, half of which is random. */
  nextMs(): number {
    const fullMs = Math.min(this.#mostMs, this.#firstMs * 2 ** this.#tries);
    if (fullMs < this.#mostMs) this.#tries += 1;
    return (fullMs / 2) * (1 + this.#random());
  }

  /** Restarts with the first delay. Called after a successful attempt. */
  reset(): void {
    this.#tries = 0;
  }
}
