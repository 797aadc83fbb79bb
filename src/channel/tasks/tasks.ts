/**
 * PORT: CPU-bound work of the app, done on another thread. Implemented by the shard.
 *
 * Runs on: shard.
 */

import type { HandedOver } from "./handed-over.ts";

/** How a task is run. */
export interface TaskOptions {
  /** What of the input is handed over instead of copied; this thread cannot use it any more. */
  readonly transfer?: readonly HandedOver[];
  /**
   * Ends the task when it is aborted, and rejects with its reason. A task whose signal is aborted
   * already is never begun.
   */
  readonly signal?: AbortSignal;
}

/** A task that was given away. */
export interface Task {
  /**
   * What the task's function gave, or threw, or the reason of its signal. Never settles once the
   * task was cancelled.
   */
  readonly result: Promise<unknown>;
  /** Ends it, also where it runs already. Nothing happens where it is done. */
  cancel(): void;
}

/** Runs tasks. */
export interface Tasks {
  /**
   * Has a function of the endpoint's tasks module called.
   *
   * @param input - its argument; must survive a structured clone
   */
  run(name: string, input: unknown, options: TaskOptions): Task;
}
