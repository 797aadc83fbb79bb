/**
 * Prepares a thread for the end of what it runs, which main forces (`server/thread-inspector`).
 *
 * The end skips `finally`, also that of the functions with which Node.js runs immediates and timers:
 *
 * - If the first immediate of a turn is ended, those behind it are never run, but still counted. So they are cleared,
 *   and set again.
 * - If another one is ended, Node.js begins with it again in the next turn, finds that it was destroyed before it ran,
 *   and throws. So it is made one that has yet to run and does nothing. Node.js then counts one immediate too few, and
 *   may not see one that is alone in its queue. So another one joins it from time to time; the thread is closing anyway.
 * - If the callback of an interval is ended, the interval is not due again. So those of a shard that must go on are
 *   timeouts, which are set again before anything else.
 *
 * Reactions of promises that were due at the same time are lost, and so is what would have followed in the functions that
 * were on the stack. `onEnded` continues what must not stop.
 *
 * The asynchronous contexts that the code had entered would also stay entered. If anything watches them, as an
 * AsyncLocalStorage does before Node.js 24, Node.js then ends the whole process, and their resources are read from memory
 * that is no longer theirs. So all contexts are left before, as Node.js does after an uncaught exception.
 *
 * Runs on: shard; `prepareForEnd` runs in an interrupt of user code, `onEnded` in a turn of its own.
 */

import { executionAsyncResource } from "node:async_hooks";

/** Calls `prepareForEnd` in a thread that has been made ready by `allowEnds`, as text of JavaScript. */
export const PREPARE_FOR_END = `globalThis[Symbol.for("simurgh.prepareForEnd")]?.()`;

/** Time between the immediates that join others (ms). */
const JOIN_MS = 10;

/** Properties of Node's Immediate. They are private, so any of them may be missing. */
const CALLBACK = "_onImmediate";
const ARGUMENTS = "_argv";
const IS_DESTROYED = "_destroyed";
const NEXT = "_idleNext";
type Property = typeof CALLBACK | typeof ARGUMENTS | typeof IS_DESTROYED | typeof NEXT;
type Running = Partial<Record<Property, unknown>>;

/** Handles an uncaught exception: calls what listens, and leaves all asynchronous contexts. Private, so it may be missing. */
const HANDLE = "_fatalException";
interface ProcessWithHandler {
  readonly [HANDLE]?: (error: Error, isRejection: boolean) => boolean;
}

/**
 * Makes this thread ready for `PREPARE_FOR_END`.
 *
 * @param onEnded - called soon after each end. It may be ended itself, and is then called again
 */
export function allowEnds(onEnded: () => void): void {
  const value = (): void => prepareForEnd(onEnded);
  Object.defineProperty(globalThis, Symbol.for("simurgh.prepareForEnd"), { value });
}

function prepareForEnd(onEnded: () => void): void {
  const running = executionAsyncResource() as Running;
  if (typeof running[CALLBACK] === "function" && running[IS_DESTROYED] === true) {
    setThoseBehind(running);
    running[CALLBACK] = doNothing;
    running[IS_DESTROYED] = false;
    setInterval(() => setImmediate(doNothing), JOIN_MS).unref();
  }
  setTimeout(onEnded, 0);
  leaveContexts();
}

/** Sets the immediates again that Node.js would run in this turn after the one that is running. */
function setThoseBehind(running: Running): void {
  const behind: Running[] = [];
  for (let next = running[NEXT] as Running | null | undefined; next;) {
    behind.push(next);
    next = next[NEXT] as Running | null | undefined;
  }
  for (const immediate of behind) {
    const callback = immediate[CALLBACK];
    const given = immediate[ARGUMENTS];
    if (typeof callback !== "function" || immediate[IS_DESTROYED] === true) continue;
    clearImmediate(immediate as NodeJS.Immediate);
    setImmediate(callback as (...args: unknown[]) => void, ...(Array.isArray(given) ? given : []));
  }
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
