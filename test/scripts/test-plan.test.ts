/**
 * Which test files a run starts, in which order, and what it says of their headers.
 *
 * Runs on: the test's thread. Pure.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { byFolder, complaintsOf, planTests } from "../../scripts/test-plan.ts";

const FILES = [
  { path: "a", source: "/**\n * Is quick.\n */" },
  { path: "b", source: "/**\n * Waits.\n *\n * Slow: it waits for a timeout.\n */" },
  { path: "c", source: "/**\n * Measures.\n *\n * Alone: it measures time.\n */" },
  { path: "d", source: "/**\n * Says it elsewhere.\n */\n/**\n * Slow: not its header.\n */" },
  { path: "e", source: "// no header" },
];
const NO_TIMES = new Map<string, number>();

describe("a plan of tests", () => {
  it("has slow files first, and those that must run alone apart", () => {
    assert.deepEqual(planTests(FILES, false, NO_TIMES), {
      together: ["b", "a", "d", "e"],
      alone: ["c"],
      leftOut: [],
    });
  });

  it("starts the files earlier that took longer before", () => {
    const times = new Map([
      ["a", 10],
      ["b", 100],
      ["d", 2_000],
    ]);
    assert.deepEqual(planTests(FILES, false, times).together, ["d", "b", "a", "e"]);
  });

  it("leaves out what is slow or runs alone, where an answer is to come quickly", () => {
    assert.deepEqual(planTests(FILES, true, NO_TIMES), {
      together: ["a", "d", "e"],
      alone: [],
      leftOut: ["b", "c"],
    });
  });
});

describe("the times of a run", () => {
  it("show which headers are wrong", () => {
    const times = new Map([
      ["a", 9_500],
      ["b", 400],
      ["c", 20_000],
      ["d", 8_500],
    ]);
    assert.deepEqual(complaintsOf(FILES, times, 1), [
      'a took 9.5 s: make it faster, or say "Slow: why" in its header',
      'b took 0.4 s: remove "Slow:" from its header',
    ]);
  });

  it("count for less on a machine that had more to do", () => {
    assert.deepEqual(complaintsOf(FILES, new Map([["a", 25_000]]), 4), []);
  });

  it("show nothing of files that did not run", () => {
    assert.deepEqual(complaintsOf(FILES, NO_TIMES, 1), []);
  });
});

describe("a list of files", () => {
  it("has a line for each folder", () => {
    const paths = ["test/litmus/ring.test.ts", "test/a.test.ts", "test/litmus/index.test.ts"];
    assert.deepEqual(byFolder(paths), ["test: a", "test/litmus: index, ring"]);
  });
});
