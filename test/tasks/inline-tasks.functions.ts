/**
 * Tasks of inline-tasks.test.ts.
 *
 * Runs on: the test's thread.
 */

import { EventEmitter, once } from "node:events";

import { defineTasks, type TaskContext } from "../../src/index.ts";

let last: unknown;
let cancelled = 0;
const ends = new EventEmitter();

/** Stores its input, and returns it. */
function keep(input: unknown): object {
  last = input;
  return { kept: last };
}

/** Returns what was stored. */
function kept(): unknown {
  return last;
}

/** Returns the length of its input. */
function lengthOf(input: { readonly length: number }): number {
  return input.length;
}

/** Throws an error with a code. */
function fail(): never {
  throw Object.assign(new RangeError("too far"), { code: "E_FAR" });
}

/** Returns a value that cannot be cloned. */
function unclonable(): () => void {
  return () => {};
}

/** Waits until it is cancelled. */
async function untilCancelled(_: unknown, { signal }: TaskContext): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
  cancelled += 1;
  ends.emit("cancelled");
}

/** Waits until at least `least` runs of `untilCancelled` have ended. Returns how many have. */
async function cancelledCount(least: number): Promise<number> {
  while (cancelled < least) await once(ends, "cancelled");
  return cancelled;
}

export default defineTasks({
  keep,
  kept,
  lengthOf,
  fail,
  unclonable,
  untilCancelled,
  cancelledCount,
});
