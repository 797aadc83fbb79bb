/**
 * Tests that fail, for the reporter to report: see `test-reporter.test.ts`.
 *
 * Runs on: a runner that the test has started.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

describe("a suite", () => {
  it("fails", () => {
    assert.deepEqual({ a: 1 }, { a: 2 });
  });
  it("passes", () => {});
});
