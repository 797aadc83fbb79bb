/**
 * The ends of connections that are under way, so that they can be completed.
 *
 * While a connection ends, its channels' `terminate` and a custom transport's `close` run. If main ends one of these
 * because it holds the thread (`shard/forced-end`), the rest of the end would be left out, such as the other channels.
 *
 * Runs on: shard; one for all its sockets.
 */

/** Ends a connection, after its transport was told. May be called again if it did not return. */
export type Ending = () => void;

/** The ends that are on the stack, outermost first. */
export class Endings {
  readonly #onStack: Ending[] = [];

  /**
   * Closes a connection, and ends what belongs to it.
   *
   * @param close - closes it; not called again
   */
  run(close: (() => void) | undefined, end: Ending): void {
    this.#onStack.push(end);
    try {
      close?.();
      end();
    } finally {
      this.#onStack.pop();
    }
  }

  /** Completes ends that did not return. Called at the beginning of a turn. */
  recover(): void {
    // Removed first, since it may not return again.
    for (let end = this.#onStack.pop(); end; end = this.#onStack.pop()) this.run(undefined, end);
  }
}
