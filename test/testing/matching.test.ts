import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { matches } from "../../src/testing/matching.ts";

const MATCHING: readonly (readonly [what: string, actual: unknown, pattern: unknown])[] = [
  ["no pattern, anything", { a: 1 }, undefined],
  ["the same value", "a", "a"],
  ["null", null, null],
  ["some of the keys", { a: 1, b: 2 }, { a: 1 }],
  ["no key at all", { a: 1 }, {}],
  ["some keys of an object within", { a: { b: 1, c: 2 } }, { a: { c: 2 } }],
  ["elements that each match", { a: [{ b: 1, c: 2 }, 3] }, { a: [{ b: 1 }, 3] }],
  ["a function that returns true", { n: 7 }, { n: (n: number) => n > 6 }],
  ["a function of the whole payload", { n: 7 }, (all: { n: number }) => all.n === 7],
  ["a function that returns a truthy value", "x", (text: string) => text.length],
];

const DIFFERENT: typeof MATCHING = [
  ["another value", "a", "b"],
  ["another type", 1, "1"],
  ["null for an object", null, {}],
  ["an object for null", {}, null],
  ["a key that is missing", { a: 1 }, { b: 1 }],
  ["a key that is inherited", {}, { toString: () => true }],
  ["an array for an object", [1], { 0: 1 }],
  ["an object for an array", { 0: 1, length: 1 }, [1]],
  ["a longer array", [1, 2], [1]],
  ["a shorter array", [1], [1, 2]],
  ["elements in another order", [1, 2], [2, 1]],
  ["a key that must be undefined, and is not", { a: 1 }, { a: undefined }],
  ["a function that returns false", { n: 7 }, { n: (n: number) => n > 7 }],
  ["a function that throws", {}, (all: { n: { m: number } }) => all.n.m === 1],
];

describe("a pattern", () => {
  for (const [what, actual, pattern] of MATCHING) {
    it(`matches ${what}`, () => assert.equal(matches(actual, pattern), true));
  }
  for (const [what, actual, pattern] of DIFFERENT) {
    it(`does not match ${what}`, () => assert.equal(matches(actual, pattern), false));
  }
});
