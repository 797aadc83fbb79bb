/**
 * Promises that user code returns: telling them from other results, and waiting for them.
 *
 * Runs on: any thread.
 */

import { makeError } from "../errors.ts";

/** Reports whether a value is a promise, or has a `then` method like one. Never throws. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== "object" || value === null) return false;
  try {
    return "then" in value && typeof value.then === "function";
  } catch {
    // A user's getter threw: the object is neither a promise nor a valid result.
    return false;
  }
}

/**
 * Returns what a promise resolves to, for a callback that belongs to no channel.
 *
 * @throws the reason of a rejection; SIM_ERR_HANDLER_TIMEOUT if the promise does not settle in time
 */
export async function settledInTime(
  promise: PromiseLike<unknown>,
  timeoutMs: number,
): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // Unreferenced, so that it does not keep a thread alive that has closed in the meantime.
    timer = setTimeout(() => reject(handlerTimeout(timeoutMs)), timeoutMs).unref();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ignores how a promise settles, so that a late rejection is not an unhandled one. */
export function ignoreOutcome(result: unknown): void {
  if (isThenable(result)) Promise.resolve(result).then(ignore, ignore);
}

function ignore(): void {}

/** Makes the error of a callback that did not settle in time. */
export function handlerTimeout(timeoutMs: number): Error {
  const message = `a callback must settle within ${timeoutMs} (ms)`;
  return makeError("SIM_ERR_HANDLER_TIMEOUT", message);
}
