/**
 * Waits for something with a deadline that names what did not come.
 *
 * Runs on: the test's thread.
 */

/** Gives what a promise gives, or fails with the name of what did not come in time. */
export async function within<Value>(
  awaited: Promise<Value>,
  what: string,
  deadlineMs = 10_000,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${what} did not come within ${deadlineMs} ms`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([awaited, late]);
  } finally {
    clearTimeout(timer);
  }
}
