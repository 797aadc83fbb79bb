/**
 * The tasks of one channel that have not finished.
 *
 * Runs on: the shard that owns the connection. Created when the channel runs its first task.
 */

import type { Task } from "./tasks.ts";

/** The running tasks of a channel. */
export class RunningTasks {
  readonly #running = new Set<Task>();

  /** Adds a task, and waits for its result. */
  async finish(task: Task): Promise<unknown> {
    this.#running.add(task);
    try {
      return await task.result;
    } finally {
      this.#running.delete(task);
    }
  }

  /** Cancels all. Their promises never settle. */
  cancel(): void {
    for (const task of this.#running) task.cancel();
    this.#running.clear();
  }
}
