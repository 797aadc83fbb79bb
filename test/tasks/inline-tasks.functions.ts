/**
 * Tasks of inline-tasks.test.ts.
 *
 * Runs on: the test's thread.
 */

import { defineTasks } from "../../src/index.ts";

let last: unknown;

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

export default defineTasks({ keep, kept, lengthOf, fail });
