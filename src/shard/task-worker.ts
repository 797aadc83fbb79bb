/**
 * What a thread of the task pool runs: one task after the other.
 *
 * Runs on: a thread of the task pool.
 */

import { makeError } from "../errors.ts";
import type { TaskCall, TaskOutcome } from "./control.ts";
import { reportOf } from "./error-report.ts";
import { loadTask } from "./task-module.ts";

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
