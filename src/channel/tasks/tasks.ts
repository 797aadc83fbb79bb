/**
 * PORT: CPU-bound work of the app, run on another thread. Implemented by `tasks/task-client`.
 *
 * Runs on: shard.
 */

/**
 * A value that can be transferred to another thread: an ArrayBuffer, a MessagePort, a FileHandle, a
 * stream.
 *
 * Described by what they have in common, because apps must compile without Node.js's types, whose
 * name for this type also differs from release to release.
 */
export type HandedOver =
  | ArrayBuffer
  | { close(): unknown }
  | { readonly locked: boolean }
  | { readonly readable: object; readonly writable: object };

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
