/**
 * What the package's scripts say before they do something that takes a while.
 *
 * Runs on: the test's thread; npm is a process of its own.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

describe("the package's scripts", () => {
  it("say that they are building, beside what they print", () => {
    const { scripts } = JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8")) as {
      scripts: Record<string, string>;
    };
    // npm runs it before each build.
    assert.match(scripts["prebuild"] ?? "", /^echo Building/);
    assert.match(scripts["start"] ?? "", /^npm run --silent build && /);
    const said = spawnSync("npm", ["run", "--silent", "prebuild"], { cwd: ROOT, encoding: "utf8" });
    assert.match(said.stderr, /^Building /);
    assert.equal(said.stdout, "");
  });
});
