/**
 * Waits with a deadline whose error names the missing event.
 *
 * Runs on: the test's thread.
 */

import { setTimeout as pause } from "node:timers/promises";

/** Long, because the machine may have more to do than these tests. */
const DEADLINE_MS = 30_000;
/** Pause between two questions, so that this thread and others can work. */
const ASKED_AGAIN_MS = 5;

/** Resolves like the promise, or rejects with an error that names `what` after the deadline. */
export async function within<Value>(
  awaited: Promise<Value>,
  what: string,
  deadlineMs = DEADLINE_MS,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`timed out after ${deadlineMs} ms waiting for ${what}`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([awaited, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks until the answer is yes, for what causes no event. Other work of this thread goes on between two questions. */
export async function untilSo(
  isSo: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  const untilMs = performance.now() + deadlineMs;
  while (!(await isSo())) {
    if (performance.now() >= untilMs) {
      throw new Error(`timed out after ${deadlineMs} ms waiting for ${what}`);
    }
    await pause(ASKED_AGAIN_MS);
  }
}
