/**
 * What keeps a task from being given away, wherever it would run.
 *
 * Runs on: shard.
 */

import { makeError, type SimurghError } from "../errors.ts";

/** The endpoint names no tasks module. */
export function noTasksError(name: string): SimurghError {
  return makeError(
    "SIM_ERR_TASKS",
    `task ${JSON.stringify(name)} must stand in the endpoint's tasks module, got an endpoint without one`,
  );
}

/** The input cannot be cloned. */
export function inputError(name: string, cause: unknown): SimurghError {
  const message = `input of task ${JSON.stringify(name)} must survive a structured clone`;
  return makeError("SIM_ERR_TASKS", message, { cause });
}
