/**
 * The versions of Node.js: what refuses others, and the places that name them.
 *
 * Runs on: the test's thread; reads documents.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import { checkNodeVersion, NODE_VERSIONS, NODE_VERSIONS_TEXT } from "../src/node-version.ts";

const ROOT = new URL("../../", import.meta.url);

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), "utf8");
}

describe("the versions of Node.js", () => {
  it("before the oldest are refused, with those that work", () => {
    checkNodeVersion();
    checkNodeVersion("20.0.0");
    checkNodeVersion("27.0.0");
    assert.throws(() => checkNodeVersion("18.20.8"), {
      code: "SIM_ERR_ENGINE_UNAVAILABLE",
      message: "Node.js must be version 20 or later, got 18.20.8; use 20, 22, 24 or 26",
    });
  });

  it("are the same in the package, in the documents, and in what is compiled for them", () => {
    const { engines, devDependencies } = JSON.parse(read("package.json")) as {
      engines: Record<string, string>;
      devDependencies: Record<string, string>;
    };
    assert.equal(engines["node"], `>=${NODE_VERSIONS[0]}`);
    assert.match(
      devDependencies["@types/node"] as string,
      new RegExp(`^${NODE_VERSIONS[0]}\\.`),
      "the types of the oldest version",
    );
    for (const path of ["README.md", "CONTRIBUTING.md"]) {
      assert.ok(read(path).includes(`You need Node.js ${NODE_VERSIONS_TEXT}`), path);
    }
  });
});
