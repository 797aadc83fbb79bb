/**
 * What a thread of the task pool runs: one task after the other.
 *
 * Runs on: a thread of the task pool.
 */

import { makeError } from "../errors.ts";
import { reportOf, type ErrorReport } from "./error-report.ts";
import { loadTask } from "./task-module.ts";

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

// A result that cannot be cloned fails outside of `runTask`, where piscina posts it, and ends the
// thread by a DOMException, of which nothing would reach main.
process.on("uncaughtException", (error: unknown) => {
  if (!(error instanceof DOMException)) throw error;
  throw makeError(
    "SIM_ERR_TASKS",
    `result of a task must survive a structured clone, got: ${error.message}`,
  );
});

/** Runs one task. Never rejects. */
export async function runTask({ module, name, input }: TaskCall): Promise<TaskOutcome> {
  try {
    const task = await loadTask(module, name);
    return { kind: "done", result: await task(input) };
  } catch (error) {
    return { kind: "failed", error: reportOf(error) };
  }
}
