/**
 * Finds tasks: what the app's tasks module defines, by their names.
 *
 * Runs on: a thread of the task pool.
 */

import { isTasks } from "../channel/tasks/task-definition.ts";
import type { TaskContext } from "../channel/tasks/task-types.ts";
import { makeError } from "../errors.ts";
import { loadModule } from "../app/app-module.ts";

/** A task as it is called, whatever its types. */
export type CallableTask = (input: unknown, context: TaskContext) => unknown;

/**
 * Gives a task.
 *
 * @param module - URL of the tasks module, which is imported once
 * @throws SIM_ERR_APP_MODULE where it cannot be imported; SIM_ERR_TASKS where its default export is
 *   not what `defineTasks` gives, or has no function of that name
 */
export async function loadTask(module: string, name: string): Promise<CallableTask> {
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
