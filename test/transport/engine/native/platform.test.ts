/**
 * What is found out about this machine.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { currentPlatform } from "../../../../src/transport/engine/native/platform.ts";

/** `excludeNetwork` is not in the types of Node.js 20. */
type Reporter = NodeJS.ProcessReport & { excludeNetwork?: boolean };

describe("the version of the C library", () => {
  it("is found without looking up the addresses of the process's connections", (test) => {
    const reporter: Reporter = process.report;
    const before = reporter.excludeNetwork;
    const report = { header: { glibcVersionRuntime: "2.99" } };
    const whileRead: unknown[] = [];
    test.mock.method(reporter, "getReport", () => {
      whileRead.push(reporter.excludeNetwork);
      return report;
    });
    assert.equal(currentPlatform().glibcVersion(), "2.99");
    assert.deepEqual(whileRead, [true]);
    assert.equal(reporter.excludeNetwork, before);
  });
});
