/**
 * How long to wait before the next try: longer each time, and never the same for all nodes.
 *
 * Runs on: link.
 */

/** Delays between tries. */
export class Backoff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  readonly #random: () => number;
  #tries = 0;

  /**
   * @param firstMs - before the second try
   * @param mostMs - however many tries there were
   * @param random - from 0 to 1
   */
  constructor(firstMs: number, mostMs: number, random: () => number = Math.random) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
    this.#random = random;
  }

  /** Returns the next delay: half of it is fixed, half of it random. */
  nextMs(): number {
    const fullMs = Math.min(this.#mostMs, this.#firstMs * 2 ** this.#tries);
    if (fullMs < this.#mostMs) this.#tries += 1;
    return (fullMs / 2) * (1 + this.#random());
  }

  /** Begins again with the first delay: a try succeeded. */
  reset(): void {
    this.#tries = 0;
  }
}
