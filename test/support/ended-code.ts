/**
 * Ends code as main does for a shard that must close: V8 unwinds the stack without any `catch` and `finally`.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { runInThisContext } from "node:vm";

const LIMIT_MS = 30;

/** Holds the thread until it is ended. */
export function hold(): never {
  for (;;);
}

/** Runs code that holds the thread, and ends it. */
export function endCode(code: () => void): void {
  const scope = globalThis as { codeToEnd?: () => void };
  scope.codeToEnd = code;
  const limit = { timeout: LIMIT_MS };
  assert.throws(() => runInThisContext("codeToEnd()", limit) as unknown, {
    code: "ERR_SCRIPT_EXECUTION_TIMEOUT",
  });
  delete scope.codeToEnd;
}
