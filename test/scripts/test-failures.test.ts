/**
 * Failed tests as text: how much of each is shown.
 *
 * Runs on: the test's thread. Pure.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { describeFailures, type Failure } from "../../scripts/test-failures.ts";

/** A failure as the runner reports it: the error of the test is the cause of the runner's own. */
function failure(cause: unknown, name = "a suite › a test", stderr = ""): Failure {
  const error = new Error("1 subtest failed", { cause });
  return {
    file: "test/a.test.ts",
    name,
    error: Object.assign(error, { failureType: "x" }),
    stderr,
  };
}

/** An error without frames. */
function thrown(message: string): Error {
  return Object.assign(new Error(message), { stack: "" });
}

describe("the text of failures", () => {
  it("has the name, the message and nothing of colours", () => {
    assert.equal(
      describeFailures([failure(thrown("wanted \u001B[31m1\u001B[39m\n\ngot 2"))]),
      "1. test/a.test.ts › a suite › a test\n   Error: wanted 1\n   got 2\n",
    );
  });

  it("says what was thrown that is no error", () => {
    assert.equal(
      describeFailures([failure({ code: 1 })]),
      "1. test/a.test.ts › a suite › a test\n   { code: 1 }\n",
    );
  });

  it("has what a file wrote to stderr, where the file itself failed", () => {
    assert.equal(
      describeFailures([failure("test failed", "", "it ended\nby a signal\n")]),
      "1. test/a.test.ts\n   test failed\n   it ended\n   by a signal\n",
    );
    assert.ok(!describeFailures([failure("no", "a test", "noise")]).includes("noise"));
  });

  it("cuts long lines, and long messages the more, the more failures there are", () => {
    const long = failure(thrown(Array.from({ length: 100 }, () => "x".repeat(500)).join("\n")));
    const linesOf = (count: number): string[] =>
      describeFailures(Array.from({ length: count }, () => long))
        .trimEnd()
        .split("\n");
    assert.ok(linesOf(1).length <= 25, `${linesOf(1).length}`);
    assert.ok(linesOf(1).every((line) => line.length <= 163));
    assert.ok(linesOf(6).length <= 60, `${linesOf(6).length}`);
    assert.equal(linesOf(1).at(-1), "   …");
  });

  it("describes the first ones, names others, and counts the rest", () => {
    const text = describeFailures(Array.from({ length: 50 }, () => failure(thrown("no"))));
    const lines = text.trimEnd().split("\n");
    assert.equal(lines.filter((line) => line.includes("Error: no")).length, 10);
    assert.equal(lines.filter((line) => line.includes("a suite › a test")).length, 40);
    assert.equal(lines.at(-1), "and 10 more");
  });
});
