/**
 * The connection requests of a shard whose `connect` has not settled.
 *
 * Runs on: shard; one for all its sockets.
 * Full: `hasRoom` is false, and the request is refused without calling `connect`.
 */

/** Counts pending requests. */
export class PendingConnects {
  readonly #max: number;
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** The number of pending requests. */
  get count(): number {
    return this.#count;
  }

  get hasRoom(): boolean {
    return this.#count < this.#max;
  }

  /** Counts a request until its promise settles, and returns a promise with the same outcome. */
  async until<Result>(settled: Promise<Result>): Promise<Result> {
    this.#count += 1;
    try {
      return await settled;
    } finally {
      this.#count -= 1;
    }
  }
}
