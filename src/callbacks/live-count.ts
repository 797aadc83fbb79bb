/**
 * Counts channels and raw sockets that have not ended, for a drain that waits for the last one.
 *
 * Runs on: shard.
 */

/** A count that can be waited for. */
export class LiveCount {
  #live = 0;
  readonly #onNone: (() => void)[] = [];

  /** Counts one more. */
  born(): void {
    this.#live += 1;
  }

  /** Counts one less: nothing of it runs any more. */
  gone(): void {
    this.#live -= 1;
    if (this.#live > 0) return;
    for (const resolve of this.#onNone.splice(0)) resolve();
  }

  /**
   * Waits until none is left.
   *
   * @param limitMs - the longest time to wait; without it, as long as it takes
   * @returns how many are left then
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
