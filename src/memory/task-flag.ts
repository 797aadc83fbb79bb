/**
 * What main and the thread that runs a task share of it: whether anybody wants it still.
 *
 *   word
 *   0   cancelled   0, or 1 when nobody wants the result; written by main
 *   1   listens     0, or 1 when the task has looked at word 0; written by the task's thread
 *
 * Runs on:  main, which makes it, and a thread of the task pool.
 * Order:    main stores word 0, then loads word 1; the task's thread stores word 1, then loads word
 *           0. So either main finds that the task listens, or the task finds that it is cancelled:
 *           no task runs on unobserved that main takes for one that minds.
 */

const CANCELLED = 0;
const LISTENS = 1;
const FLAG_BYTES = 8;

/** Makes the shared memory of one task. */
export function makeTaskFlagMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(FLAG_BYTES);
}

/** The flag of one task. */
export class TaskFlag {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
  }

  /**
   * Says that nobody wants the task any more. For main.
   *
   * @returns whether the task has ever asked, and so will know
   */
  cancel(): boolean {
    Atomics.store(this.#words, CANCELLED, 1);
    Atomics.notify(this.#words, CANCELLED);
    return Atomics.load(this.#words, LISTENS) === 1;
  }

  /** Whether main has cancelled. For the task's thread: from the first time on, main counts on it. */
  isCancelled(): boolean {
    if (this.#words[LISTENS] === 0) Atomics.store(this.#words, LISTENS, 1);
    return Atomics.load(this.#words, CANCELLED) === 1;
  }

  /** Resolves when main cancels, or with `end`. For the task's thread. */
  async changed(): Promise<void> {
    if (!this.isCancelled()) await Atomics.waitAsync(this.#words, CANCELLED, 0).value;
  }

  /** Lets go what waits. For the task's thread, when the task is done. */
  end(): void {
    Atomics.notify(this.#words, CANCELLED);
  }
}
