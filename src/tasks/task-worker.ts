/**
 * What a thread of the task pool runs: one task after the other.
 *
 * Runs on: a thread of the task pool.
 */

import { createRequire } from "node:module";
import { constants, setPriority } from "node:os";

import { makeError } from "../errors.ts";
import { TaskFlag } from "../memory/task-flag.ts";
import type { TaskCall, TaskOutcome } from "./task-messages.ts";
import { reportOf } from "../error-report.ts";
import { loadTask } from "./task-module.ts";
import { TaskRun } from "./task-run.ts";

// A result that cannot be cloned fails outside of `runTask`, where piscina posts it, and ends the
// thread by a DOMException, of which nothing would reach main.
process.on("uncaughtException", (error: unknown) => {
  if (!(error instanceof DOMException)) throw error;
  throw makeError(
    "SIM_ERR_TASKS",
    `result of a task must survive a structured clone, got: ${error.message}`,
  );
});
yieldToShards();

/** Runs one task. Never rejects. */
export async function runTask({ module, name, input, flag }: TaskCall): Promise<TaskOutcome> {
  const run = new TaskRun(new TaskFlag(flag));
  try {
    const task = await loadTask(module, name);
    const result = await task(input, run.context);
    return sent({ kind: "done", result, transfer: run.handedOver });
  } catch (error) {
    return { kind: "failed", error: reportOf(error) };
  } finally {
    run.end();
  }
}

/** Has the system prefer the shards where there is not enough CPU for all. */
function yieldToShards(): void {
  // Elsewhere it would be the whole process that yields.
  if (process.platform !== "linux") return;
  try {
    // 0 is this thread, to Linux.
    setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Not in every sandbox. It is a courtesy.
  }
}

/** Has piscina hand over, on the way to main, what is to be handed over. */
function sent(outcome: TaskOutcome & { readonly kind: "done" }): TaskOutcome {
  if (outcome.transfer.length === 0) return outcome;
  const require = createRequire(import.meta.url);
  const { move } = require("piscina") as { move: (value: object) => TaskOutcome };
  return move({
    [Symbol.for("Piscina.transferable")]: outcome.transfer,
    [Symbol.for("Piscina.valueOf")]: outcome,
  });
}
