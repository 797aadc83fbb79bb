/**
 * The tasks of channels: who waits for which, and that none outlives its channel.
 *
 * Runs on: shard; one for all its channels.
 */

import type { Channel } from "../channel.ts";
import { STATE } from "../channel-state.ts";
import { runTask } from "./task-signal.ts";
import type { TaskOptions, Tasks } from "./tasks.ts";

/** Runs tasks for channels. */
export class ChannelTasks {
  readonly #tasks: Tasks;

  constructor(tasks: Tasks) {
    this.#tasks = tasks;
  }

  /** Runs a task; see ChannelSocket. */
  async run(
    channel: Channel,
    name: string,
    input: unknown,
    options: TaskOptions,
  ): Promise<unknown> {
    // Of a channel that has ended: as with those that were cancelled, nobody hears of it.
    if (channel.state === STATE.closed) return new Promise(() => {});
    channel.tasks ??= new Set();
    const { tasks } = channel;
    const task = runTask(this.#tasks, name, input, options);
    tasks.add(task);
    try {
      return await task.result;
    } finally {
      tasks.delete(task);
    }
  }
}

/** Cancels the tasks of a channel that has ended: their promises never settle. */
export function cancelTasks(channel: Channel): void {
  for (const task of channel.tasks ?? []) task.cancel();
  channel.tasks = undefined;
}
