/**
 * Counts what has not ended yet, for those who wait until nothing is left.
 *
 * Runs on: shard.
 */

/** How many there are of a kind. */
export class LiveCount {
  #live = 0;
  /** Who waits for the last one's end. */
  readonly #onNone: (() => void)[] = [];

  /** One more is there. */
  born(): void {
    this.#live += 1;
  }

  /** One is gone, with all that it had. */
  gone(): void {
    this.#live -= 1;
    if (this.#live > 0) return;
    for (const resolve of this.#onNone.splice(0)) resolve();
  }

  /**
   * Waits until none is left.
   *
   * @param limitMs - the longest time; without it, for as long as it takes
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
