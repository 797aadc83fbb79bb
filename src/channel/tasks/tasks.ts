/**
 * PORT: CPU-bound work of the app, run on another thread. Implemented by `tasks/task-client`.
 *
 * Runs on: shard.
 */

import type { Worker } from "node:worker_threads";

/**
 * A value that can be transferred to another thread: an ArrayBuffer, a MessagePort, a FileHandle.
 *
 * Derived from `postMessage`, because the type of the list has a different name in each release of
 * Node.js's types.
 */
export type HandedOver = NonNullable<Parameters<Worker["postMessage"]>[1]>[number];

/** Options of one task. */
export interface TaskOptions {
  /** Parts of the input to transfer instead of copying; this thread can no longer use them. */
  readonly transfer?: readonly HandedOver[];
  /**
   * Cancels the task when aborted; the result then rejects with the signal's reason. If the signal
   * is already aborted, the task never starts.
   */
  readonly signal?: AbortSignal;
}

/** A requested task. */
export interface Task {
  /**
   * Resolves or rejects with the outcome of the task; rejects with the reason of the signal if
   * aborted. Never settles after `cancel`.
   */
  readonly result: Promise<unknown>;
  /** Cancels the task, even if it is already running. Does nothing if the task has finished. */
  cancel(): void;
}

/** Runs tasks. */
export interface Tasks {
  /**
   * Runs a function of the endpoint's tasks module.
   *
   * @param input - the function's argument; a structured clone of it must be possible
   */
  run(name: string, input: unknown, options: TaskOptions): Task;
}
