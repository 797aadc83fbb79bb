/**
 * Prepares a thread for the end of what it runs, which main forces (`server/thread-inspector`).
 *
 * The end skips `finally`, also that of the function with which Node.js runs the immediates of a turn. It then begins
 * with the same immediate again in the next turn, finds that this was destroyed before it ran, and throws; the
 * immediates behind it are never run. So the immediate that is running is made one that has yet to run and does
 * nothing. Node.js then counts one immediate too few, and may not see one that is alone in its queue. So another one
 * joins it from time to time; the thread is closing anyway.
 *
 * The asynchronous contexts that the code had entered would also stay entered. If anything watches them, as an
 * AsyncLocalStorage does before Node.js 24, Node.js then ends the whole process, and their resources are read from memory
 * that is no longer theirs. So all contexts are left before, as Node.js does after an uncaught exception.
 *
 * Runs on: shard; `prepareForEnd` runs in an interrupt of user code.
 */

import { executionAsyncResource } from "node:async_hooks";

/** Calls `prepareForEnd` in a thread that has been made ready by `allowEnds`, as text of JavaScript. */
export const PREPARE_FOR_END = `globalThis[Symbol.for("simurgh.prepareForEnd")]?.()`;

/** Time between the immediates that join others (ms). */
const JOIN_MS = 10;

/** Properties of Node's Immediate. They are private, so any of them may be missing. */
const CALLBACK = "_onImmediate";
const IS_DESTROYED = "_destroyed";
type Running = Partial<Record<typeof CALLBACK | typeof IS_DESTROYED, unknown>>;

/** Handles an uncaught exception: calls what listens, and leaves all asynchronous contexts. Private, so it may be missing. */
const HANDLE = "_fatalException";
interface ProcessWithHandler {
  readonly [HANDLE]?: (error: Error, isRejection: boolean) => boolean;
}

/** Makes this thread ready for `PREPARE_FOR_END`. */
export function allowEnds(): void {
  Object.defineProperty(globalThis, Symbol.for("simurgh.prepareForEnd"), { value: prepareForEnd });
}

function prepareForEnd(): void {
  const running = executionAsyncResource() as Running;
  if (typeof running[CALLBACK] === "function" && running[IS_DESTROYED] === true) {
    running[CALLBACK] = doNothing;
    running[IS_DESTROYED] = false;
    setInterval(() => setImmediate(doNothing), JOIN_MS).unref();
  }
  leaveContexts();
}

function leaveContexts(): void {
  const isCaptured = tryCapture();
  try {
    const error = new Error("code that held its thread was ended, so that the shard can close");
    (process as ProcessWithHandler)[HANDLE]?.(error, false);
  } finally {
    if (isCaptured) process.setUncaughtExceptionCaptureCallback(null);
  }
}

/** Captures the next uncaught exception, so that no listener is called. @returns false if the app captures them */
function tryCapture(): boolean {
  try {
    process.setUncaughtExceptionCaptureCallback(doNothing);
    return true;
  } catch {
    return false;
  }
}

function doNothing(): void {}
