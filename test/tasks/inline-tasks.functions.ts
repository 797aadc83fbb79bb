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

/** Keeps what it is given, and gives it back. */
function keep(input: unknown): object {
  last = input;
  return { kept: last };
}

/** Gives what was kept. */
function kept(): unknown {
  return last;
}

/** Gives a length. */
function lengthOf(input: { readonly length: number }): number {
  return input.length;
}

/** Fails with a code. */
function fail(): never {
  throw Object.assign(new RangeError("too far"), { code: "E_FAR" });
}

/** Returns what cannot be cloned. */
function unclonable(): () => void {
  return () => {};
}

/** Waits until it is cancelled. */
async function untilCancelled(_: unknown, { signal }: TaskContext): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
  cancelled += 1;
  ends.emit("cancelled");
}

/** Waits until so many runs of `untilCancelled` have ended, and returns how many have. */
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
