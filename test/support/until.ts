/**
 * Waits for a state of something that has no events, such as a table, by looking again and again.
 *
 * Runs on: the test's thread.
 */

import { setImmediate as nextTurn } from "node:timers/promises";

const DEADLINE_MS = 30_000;

/** Resolves once `isSo` returns true. Rejects after a deadline with an error that names `what`. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) {
      throw new Error(`timed out after ${deadlineMs} ms waiting for ${what}`);
    }
    await nextTurn();
  }
}
