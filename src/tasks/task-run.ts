/**
 * One run of a task: finds its function in the tasks module and calls it with a context.
 *
 * Runs on: a thread of the task pool; in tests, the thread that runs the shard.
 */

import { loadModule } from "../app/app-module.ts";
import { isTasks, type TaskContext } from "../channel/tasks/task-definition.ts";
import type { HandedOver } from "../channel/tasks/tasks.ts";
import { makeError, type SimurghError } from "../errors.ts";
import type { TaskFlag } from "../memory/task-flag.ts";
import type { TaskTarget } from "./task-messages.ts";

type CallableTask = (input: unknown, context: TaskContext) => unknown;

/** Result of a task, and the parts of it to transfer. */
export interface TaskReturn {
  readonly result: unknown;
  readonly transfer: readonly HandedOver[];
}

/**
 * Calls a task.
 *
 * @param flag - set by main when the result is no longer needed
 * @throws SIM_ERR_APP_MODULE if the tasks module cannot be imported; SIM_ERR_TASKS if its default
 *   export was not created by `defineTasks` or has no task with that name; whatever the task throws
 */
export async function callTask(
  { module, name, input }: TaskTarget,
  flag: TaskFlag,
): Promise<TaskReturn> {
  const run = new TaskRun(flag);
  try {
    const task = await loadTask(module, name);
    return { result: await task(input, run.context), transfer: run.handedOver };
  } finally {
    run.end();
  }
}

/** Creates the error for a result that cannot be sent to another thread. */
export function resultError(cause: DOMException): SimurghError {
  const message = `result of a task must survive a structured clone, got: ${cause.message}`;
  return makeError("SIM_ERR_TASKS", message);
}

async function loadTask(module: string, name: string): Promise<CallableTask> {
  const namespace = await loadModule(module, "tasks module");
  const tasks: unknown = "default" in namespace ? namespace.default : undefined;
  if (!isTasks(tasks)) {
    throw makeError(
      "SIM_ERR_TASKS",
      `default export of the tasks module must be made by defineTasks, got ${typeof tasks} in ${module}`,
    );
  }
  const { functions } = tasks;
  if (Object.hasOwn(functions, name)) return functions[name] as CallableTask;
  const names = Object.keys(functions).join(", ") || "none";
  throw makeError(
    "SIM_ERR_TASKS",
    `tasks module must define a task ${JSON.stringify(name)}, got ${names} in ${module}`,
  );
}

/** The context of one run, and the state that the task has set through it. */
class TaskRun {
  readonly #flag: TaskFlag;
  /** Created when the task first reads its signal. */
  #abort: AbortController | undefined;
  handedOver: readonly HandedOver[] = [];
  // A plain object, so that a task can destructure it: `(input, { transfer }) => …`.
  readonly context: TaskContext;

  constructor(flag: TaskFlag) {
    this.#flag = flag;
    const signal = (): AbortSignal => this.#signal();
    this.context = {
      get signal() {
        return signal();
      },
      get isCancelled() {
        return flag.isCancelled();
      },
      transfer: (result, list) => {
        this.handedOver = [...list];
        return result;
      },
    };
  }

  /** Stops waiting for the flag to change, so that the signal can be garbage-collected. */
  end(): void {
    if (this.#abort) this.#flag.end();
  }

  #signal(): AbortSignal {
    if (!this.#abort) {
      const abort = new AbortController();
      this.#abort = abort;
      if (this.#flag.isCancelled()) abort.abort();
      else void this.#flag.changed().then(() => this.#flag.isCancelled() && abort.abort());
    }
    return this.#abort.signal;
  }
}
