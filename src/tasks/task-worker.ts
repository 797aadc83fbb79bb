/**
 * Entry module of a thread of the task pool. Runs one task at a time.
 *
 * Runs on: a thread of the task pool.
 */

import { constants, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";

import { reportOf } from "../error-report.ts";
import { TaskFlag } from "../memory/task-flag.ts";
import { captureOutput } from "../output/captured-output.ts";
import { handOver } from "./piscina.ts";
import type { TaskCall, TaskOutcome } from "./task-messages.ts";
import { TaskOutput } from "./task-output.ts";
import { callTask, resultError } from "./task-run.ts";

// piscina posts the result after `runTask` has returned. If the result cannot be cloned, a
// DOMException is thrown there, which would end the thread without main receiving an error.
process.on("uncaughtException", (error: unknown) => {
  throw error instanceof DOMException ? resultError(error) : error;
});
yieldToShards();
captureOutput(
  new TaskOutput(
    (message) => parentPort?.postMessage(message),
    () => performance.now(),
  ),
);

/** Runs one task. Never rejects. */
export async function runTask(call: TaskCall): Promise<TaskOutcome> {
  try {
    const { result, transfer } = await callTask(call, new TaskFlag(call.flag));
    return handOver({ kind: "done", result, transfer }, transfer);
  } catch (error) {
    return { kind: "failed", error: reportOf(error) };
  }
}

/** Lowers the priority of this thread, so that the system prefers the shards when CPU is scarce. */
function yieldToShards(): void {
  // On other systems, this would lower the priority of the whole process.
  if (process.platform !== "linux") return;
  try {
    // On Linux, 0 means the calling thread.
    setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Some sandboxes do not allow this. Tasks then run at normal priority.
  }
}
