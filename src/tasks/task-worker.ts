/**
 * Entry of a thread of the task pool. Runs one task after the other.
 *
 * Runs on: a thread of the task pool.
 */

import { constants, setPriority } from "node:os";

import { reportOf } from "../error-report.ts";
import { TaskFlag } from "../memory/task-flag.ts";
import { handOver } from "./piscina.ts";
import type { TaskCall, TaskOutcome } from "./task-messages.ts";
import { callTask, resultError } from "./task-run.ts";

// piscina posts the result after `runTask` has returned. If the result cannot be cloned, the thread ends
// there with a DOMException, and main would not learn why.
process.on("uncaughtException", (error: unknown) => {
  throw error instanceof DOMException ? resultError(error) : error;
});
yieldToShards();

/** Runs one task. Never rejects. */
export async function runTask(call: TaskCall): Promise<TaskOutcome> {
  try {
    const { result, transfer } = await callTask(call, new TaskFlag(call.flag));
    return handOver({ kind: "done", result, transfer }, transfer);
  } catch (error) {
    return { kind: "failed", error: reportOf(error) };
  }
}

/** Lowers the priority of this thread, so that the system prefers the shards if CPU is scarce. */
function yieldToShards(): void {
  // On other systems this would lower the priority of the whole process.
  if (process.platform !== "linux") return;
  try {
    // On Linux, 0 means this thread.
    setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Some sandboxes forbid it. Tasks run anyway.
  }
}
