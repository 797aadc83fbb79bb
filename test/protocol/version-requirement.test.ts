import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { tryRequirement, tryVersion } from "../../src/protocol/version-requirement.ts";

/** A requirement, with versions that match and versions that do not. */
const CASES: Readonly<Record<string, readonly [matching: string, others: string]>> = {
  "~> 2.0.0": ["2.0.0 2.0.9 2.0.1-rc.1", "1.9.9 2.1.0 2.0.0-rc.1 2.1.0-dev 3.0.0"],
  "~> 2.1.3": ["2.1.3 2.1.10", "2.1.2 2.2.0 2.0.3"],
  "~> 2.1": ["2.1.0 2.2.0 2.10.3", "2.0.9 3.0.0 3.0.0-dev 1.1.0"],
  "1.2.3": ["1.2.3 1.2.3+build.7", "1.2.4 1.2.3-a"],
  "== 1.2.3": ["1.2.3", "1.2.2"],
  "!= 1.2.3": ["1.2.2 1.2.3-a", "1.2.3"],
  "> 1.2.3": ["1.2.4 1.3.0 2.0.0 1.2.4-a", "1.2.3 1.2.2 1.2.3-a"],
  ">=1.2.3": ["1.2.3 1.2.4", "1.2.2 1.2.3-a"],
  "< 1.2.3": ["1.2.2 1.2.3-a 0.9.9", "1.2.3 1.2.4"],
  "<= 1.2.3": ["1.2.3 1.2.2", "1.2.4"],
  ">= 1.0.0 and < 2.0.0": ["1.0.0 1.9.9 2.0.0-a", "0.9.9 2.0.0"],
  "~> 1.0.0 or ~> 3.0.0": ["1.0.5 3.0.5", "2.0.0 4.0.0"],
  "> 1.0.0 and < 2.0.0 or == 5.0.0": ["1.5.0 5.0.0", "1.0.0 2.0.0 6.0.0"],
  "> 1.0.0-alpha.2": ["1.0.0-alpha.10 1.0.0-alpha.b 1.0.0-beta 1.0.0", "1.0.0-alpha.1 1.0.0-alpha"],
};

const NO_VERSIONS = ["", "2", "2.0", "2.0.0.0", "02.0.0", "2.0.0-", "v2.0.0", " 2.0.0", "2.0.0\n"];
const NO_REQUIREMENTS = [
  "",
  "~>",
  "~> 2",
  "~> x",
  "> 2.0",
  ">> 2.0.0",
  "2.0",
  "2.0.0 and",
  "or 2.0.0",
  "=> 1.0.0",
];

describe("a requirement of a version", () => {
  for (const [text, [matching, others]] of Object.entries(CASES)) {
    it(`${text}: matches ${matching}, and none of ${others}`, () => {
      const requirement = tryRequirement(text) ?? assert.fail("it was not read");
      const holds = (version: string): boolean =>
        requirement(tryVersion(version) ?? assert.fail(version));
      for (const version of matching.split(" ")) assert.equal(holds(version), true, version);
      for (const version of others.split(" ")) assert.equal(holds(version), false, version);
    });
  }

  it("is undefined if it cannot be parsed", () => {
    for (const text of NO_REQUIREMENTS) assert.equal(tryRequirement(text), undefined, text);
  });
});

describe("a version", () => {
  it("is undefined unless it has three numbers, with at most a pre-release and a build", () => {
    for (const text of NO_VERSIONS) assert.equal(tryVersion(text), undefined, text);
    assert.deepEqual(tryVersion("1.2.3-rc.1+7"), { numbers: [1, 2, 3], pre: ["rc", 1] });
  });
});
