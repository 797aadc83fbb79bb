/**
 * Runs tasks on the thread that asks for them: for tests of channels, which have no pool.
 *
 * As with the pool, nothing is shared with a task but what can be: input and result are cloned,
 * errors cross as reports, and of a task that was cancelled nothing is heard.
 *
 * Runs on: the thread of a test.
 */

import type { Task, TaskOptions, Tasks } from "../channel/tasks/tasks.ts";
import { makeTaskFlagMemory, TaskFlag } from "../memory/task-flag.ts";
import { errorOf, reportOf } from "../error-report.ts";
import { inputError, noTasksError } from "./task-errors.ts";
import { loadTask } from "./task-module.ts";
import { TaskRun } from "./task-run.ts";

/** Tasks without threads. */
export class InlineTasks implements Tasks {
  readonly #module: string | undefined;

  /** @param module - URL of the endpoint's tasks module */
  constructor(module: string | undefined) {
    this.#module = module;
  }

  run(name: string, input: unknown, { transfer = [] }: TaskOptions): Task {
    const flag = new TaskFlag(makeTaskFlagMemory());
    let isCancelled = false;
    const unlessCancelled = async (called: Promise<unknown>): Promise<unknown> => {
      try {
        return await called;
      } catch (error) {
        throw errorOf(reportOf(error));
      } finally {
        if (isCancelled) await new Promise(() => {});
      }
    };
    return {
      result: unlessCancelled(this.#call(name, input, transfer, flag)),
      cancel() {
        isCancelled = true;
        flag.cancel();
      },
    };
  }

  async #call(name: string, input: unknown, transfer: Transfer, flag: TaskFlag): Promise<unknown> {
    // Cloned before anything is awaited: as a message to another thread would be.
    const given = cloneOf(name, input, transfer);
    if (this.#module === undefined) throw noTasksError(name);
    const task = await loadTask(this.#module, name);
    const run = new TaskRun(flag);
    try {
      const result = await task(given, run.context);
      return structuredClone(result, { transfer: run.handedOver as never });
    } finally {
      run.end();
    }
  }
}

type Transfer = NonNullable<TaskOptions["transfer"]>;

function cloneOf(name: string, input: unknown, transfer: Transfer): unknown {
  try {
    // Node.js transfers more than the web's own types know of.
    return structuredClone(input, { transfer: [...transfer] as never });
  } catch (cause) {
    throw inputError(name, cause);
  }
}
