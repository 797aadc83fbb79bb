/**
 * Waits with a deadline whose error names the missing event.
 *
 * Runs on: the test's thread.
 */

/** Resolves like the promise, or rejects with an error that names `what` after the deadline. */
export async function within<Value>(
  awaited: Promise<Value>,
  what: string,
  deadlineMs = 10_000,
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
