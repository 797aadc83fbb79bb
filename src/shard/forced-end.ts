/**
 * Prepares a thread for the end of what it runs, which main forces (`server/thread-inspector`).
 *
 * The end skips `finally`, also that of the function with which Node.js runs the immediates of a turn. It then begins
 * with the same immediate again in the next turn, finds that this was destroyed before it ran, and throws; the
 * immediates behind it are never run. So the immediate that is running is made one that has yet to run and does
 * nothing. Node.js then counts one immediate too few, and may not see one that is alone in its queue. So another one
 * joins it from time to time; the thread is closing anyway.
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

/** Makes this thread ready for `PREPARE_FOR_END`. */
export function allowEnds(): void {
  Object.defineProperty(globalThis, Symbol.for("simurgh.prepareForEnd"), { value: prepareForEnd });
}

function prepareForEnd(): void {
  const running = executionAsyncResource() as Running;
  if (typeof running[CALLBACK] !== "function" || running[IS_DESTROYED] !== true) return;
  running[CALLBACK] = doNothing;
  running[IS_DESTROYED] = false;
  setInterval(() => setImmediate(doNothing), JOIN_MS).unref();
}

function doNothing(): void {}
