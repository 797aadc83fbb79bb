/**
 * What a thread of the task pool runs: functions of the app's tasks module, by their names.
 *
 * Runs on: a thread of the task pool.
 */

import { makeError } from "../errors.ts";
import { loadModule } from "./app-module.ts";
import { reportOf, type ErrorReport } from "./error-report.ts";

/** A task as the pool hands it to a thread. */
export interface TaskCall {
  /** URL of the tasks module. */
  readonly module: string;
  readonly name: string;
  readonly input: unknown;
}

/** What became of a task. Errors cross as reports: a clone would lose their codes. */
export type TaskOutcome =
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "failed"; readonly error: ErrorReport };

/** Runs one task. Never rejects. */
export async function runTask({ module, name, input }: TaskCall): Promise<TaskOutcome> {
  try {
    const task = taskOf(await loadModule(module, "tasks module"), module, name);
    return { kind: "done", result: await task(input) };
  } catch (error) {
    return { kind: "failed", error: reportOf(error) };
  }
}

/**
 * Finds a task in its module.
 *
 * @throws SIM_ERR_TASKS where the module exports no function of that name
 */
export function taskOf(
  namespace: object,
  module: string,
  name: string,
): (input: unknown) => unknown {
  // A module's namespace has no prototype: only what it exports is found here.
  const task: unknown = Reflect.get(namespace, name);
  if (typeof task === "function") return task as (input: unknown) => unknown;
  const names = Object.keys(namespace).join(", ");
  throw makeError(
    "SIM_ERR_TASKS",
    `tasks module must export a function ${JSON.stringify(name)}, got ${names || "no export"} in ${module}`,
  );
}
