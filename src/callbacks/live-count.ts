/**
 * Counts what has begun and not ended, so that a drain can wait for the last one: channels and raw sockets, and requests
 * that routes have not answered.
 *
 * Runs on: shard.
 */

/** A count with a way to wait until it is zero. */
export class LiveCount {
  #live = 0;
  readonly #onNone: (() => void)[] = [];

  /** Adds one to the count. */
  born(): void {
    this.#live += 1;
  }

  /** Subtracts one from the count. No callback of this channel or raw socket may run after it. */
  gone(): void {
    this.#live -= 1;
    if (this.#live > 0) return;
    for (const resolve of this.#onNone.splice(0)) resolve();
  }

  /**
   * Waits until the count is zero.
   *
   * @param limitMs - maximum time to wait; unlimited if omitted
   * @returns the count at that time
   */
  async allGone(limitMs?: number): Promise<number> {
    if (this.#live === 0) return 0;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onNone.push(resolve);
      if (limitMs !== undefined) timer = setTimeout(resolve, limitMs);
    });
    clearTimeout(timer);
    return this.#live;
  }
}
