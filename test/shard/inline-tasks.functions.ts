/**
 * Tasks of inline-tasks.test.ts.
 *
 * Runs on: the test's thread.
 */

let last: unknown;

/** Keeps what it is given, and gives it back. */
export function keep(input: unknown): object {
  last = input;
  return { kept: last };
}

/** Gives what was kept. */
export function kept(): unknown {
  return last;
}

/** Gives a length. */
export function lengthOf(input: { readonly length: number }): number {
  return input.length;
}

/** Fails with a code. */
export function fail(): never {
  throw Object.assign(new RangeError("too far"), { code: "E_FAR" });
}
