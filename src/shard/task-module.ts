/**
 * Finds tasks: functions of the app's tasks module, by their names.
 *
 * Runs on: a thread of the task pool.
 */

import { makeError } from "../errors.ts";
import { loadModule } from "./app-module.ts";

/**
 * Gives a task.
 *
 * @param module - URL of the tasks module, which is imported once
 * @throws SIM_ERR_APP_MODULE where it cannot be imported; SIM_ERR_TASKS where it exports no function
 *   of that name
 */
export async function loadTask(module: string, name: string): Promise<(input: unknown) => unknown> {
  const namespace = await loadModule(module, "tasks module");
  // It has no prototype: only what the module exports is found here.
  const task: unknown = Reflect.get(namespace, name);
  if (typeof task === "function") return task as (input: unknown) => unknown;
  const names = Object.keys(namespace).join(", ") || "no export";
  throw makeError(
    "SIM_ERR_TASKS",
    `tasks module must export a function ${JSON.stringify(name)}, got ${names} in ${module}`,
  );
}
