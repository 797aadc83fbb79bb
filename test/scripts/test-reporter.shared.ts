/**
 * A suite of a file of its own, for others to sign: see `test-reporter.cases.ts`.
 *
 * Runs on: a node --test that the test has started.
 */
import { describe, it } from "node:test";

/** Has the suite in the one that calls this. */
export function describeShared(): void {
  describe("a suite of another file", () => {
    it("passes", () => {});
  });
}
