/**
 * Recognizes promises that user code returns, and waits for them.
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
    // A user-defined getter threw, so the object is neither a promise nor a valid result.
    return false;
  }
}

/**
 * Returns the value of a promise that was returned by a callback outside of any channel.
 *
 * @throws the rejection reason; SIM_ERR_HANDLER_TIMEOUT if the promise does not settle in time
 */
export async function settledInTime(
  promise: PromiseLike<unknown>,
  timeoutMs: number,
): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // Unreferenced, so that the timer does not keep a closed thread alive.
    timer = setTimeout(() => reject(handlerTimeout(timeoutMs)), timeoutMs).unref();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Returns a promise for one of user code, whose `then` may throw or call back synchronously. Never
 * throws.
 */
export function promised(thenable: PromiseLike<unknown>): Promise<unknown> {
  try {
    return Promise.resolve(thenable);
  } catch (error) {
    // A getter for `constructor` threw.
    return Promise.reject(error);
  }
}

/** Ignores the outcome of a promise, so that a late rejection is not reported as unhandled. */
export function ignoreOutcome(result: unknown): void {
  if (isThenable(result)) promised(result).then(ignore, ignore);
}

function ignore(): void {}

/** Creates the error for a callback that did not settle in time. */
export function handlerTimeout(timeoutMs: number): Error {
  const message = `a callback must settle within ${timeoutMs} (ms)`;
  return makeError("SIM_ERR_HANDLER_TIMEOUT", message);
}
