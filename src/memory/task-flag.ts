/**
 * Shared flag of a running task: whether the task was cancelled, and whether it checks the flag.
 *
 *   word
 *   0   cancelled   1 once the result is no longer needed; written by main
 *   1   listens     1 once the task has checked word 0; written by the task's thread
 *
 * Runs on:  main, which creates it, and a thread of the task pool.
 * Order:    main stores word 0, then loads word 1. The task's thread stores word 1, then loads
 *           word 0. So either main sees that the task listens, or the task sees at its first check
 *           that it is cancelled.
 */

const CANCELLED = 0;
const LISTENS = 1;
const FLAG_BYTES = 8;

/** Allocates the flag of one task. */
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
   * Cancels the task. Called by main.
   *
   * @returns whether the task has checked the flag before, and so can be expected to stop
   */
  cancel(): boolean {
    Atomics.store(this.#words, CANCELLED, 1);
    Atomics.notify(this.#words, CANCELLED);
    return Atomics.load(this.#words, LISTENS) === 1;
  }

  /**
   * Reports whether main has cancelled the task. Called by the task's thread. After the first call,
   * main expects the task to keep checking.
   */
  isCancelled(): boolean {
    if (this.#words[LISTENS] === 0) Atomics.store(this.#words, LISTENS, 1);
    return Atomics.load(this.#words, CANCELLED) === 1;
  }

  /** Resolves when main cancels the task, or when `end` is called. Called by the task's thread. */
  async changed(): Promise<void> {
    if (!this.isCancelled()) await Atomics.waitAsync(this.#words, CANCELLED, 0).value;
  }

  /** Resolves pending `changed` promises. Called by the task's thread when the task is done. */
  end(): void {
    Atomics.notify(this.#words, CANCELLED);
  }
}
