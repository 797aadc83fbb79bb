/**
 * Tests for the reporter to report: see `test-reporter.test.ts`.
 *
 * Runs on: a runner that the test has started.
 */
import { describe, it } from "node:test";

import { describeShared } from "./test-reporter.shared.ts";

describe("a suite | of `cases`", () => {
  it("passes, and says <br> and *more*", () => {});
  describe("with one inside", () => {
    it("passes", () => {});
  });
  describeShared();
  it("is skipped", { skip: true }, () => {});
  it("is skipped for a reason", { skip: "it is only here to be skipped" }, () => {});
  it("is still to be done", { todo: true }, () => {});
});

describe("a suite that is skipped for a reason", { skip: "it is only here to be skipped" }, () => {
  it("has a test", () => {});
});
