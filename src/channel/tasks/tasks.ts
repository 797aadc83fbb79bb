/**
 * PORT: CPU-bound work of the app, run on another thread. Implemented by `tasks/task-client`.
 *
 * Runs on: shard.
 */

import type { Worker } from "node:worker_threads";

/**
 * A value that can be handed over to another thread: an ArrayBuffer, a MessagePort, a FileHandle.
 *
 * Derived from `postMessage`, because the type of the list has another name in each release of
 * Node.js's types.
 */
export type HandedOver = NonNullable<Parameters<Worker["postMessage"]>[1]>[number];

/** Options of one task. */
export interface TaskOptions {
  /** Parts of the input to hand over instead of copying; this thread can no longer use them. */
  readonly transfer?: readonly HandedOver[];
  /**
   * Cancels the task when it is aborted; the result rejects with the signal's reason. If the signal
   * is aborted already, the task never starts.
   */
  readonly signal?: AbortSignal;
}

/** A task that was requested. */
export interface Task {
  /**
   * What the task returned or threw, or the reason of its signal. Never settles after `cancel`.
   */
  readonly result: Promise<unknown>;
  /** Cancels the task, even if it runs already. Does nothing if it is done. */
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
