/**
 * How a user defines tasks: functions by their names, as the default export of the tasks module.
 *
 * Runs on: a thread of the task pool, which loads the module.
 */

import { kindOf, makeError } from "../../errors.ts";
import type { TaskFunctions, TasksDefinition } from "./task-types.ts";

const KIND = Symbol.for("simurgh.tasks");

/**
 * Defines tasks. Only these can be run by name, whatever else the module exports.
 *
 * ```ts
 * export default defineTasks({
 *   hash: ({ password, salt }: { password: string; salt: string }) => scryptSync(password, salt, 64),
 * });
 * ```
 *
 * @throws SIM_ERR_DEFINITION_INVALID for what is no function
 */
export function defineTasks<const Functions extends TaskFunctions>(
  functions: Functions,
): TasksDefinition<Functions> {
  for (const [name, task] of Object.entries(functions)) {
    if (typeof task === "function") continue;
    const message = `task ${JSON.stringify(name)} must be a function, got ${kindOf(task)}`;
    throw makeError("SIM_ERR_DEFINITION_INVALID", message);
  }
  const definition = { functions, [KIND]: true };
  return definition;
}

/** True for what `defineTasks` made, also in another copy of this package. */
export function isTasks(value: unknown): value is TasksDefinition {
  return typeof value === "object" && value !== null && KIND in value;
}
