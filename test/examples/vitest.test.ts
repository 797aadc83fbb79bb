/**
 * The example of tests with vitest, which vitest runs as for a user.
 *
 * Runs on: the test's thread; vitest and the compiler are processes of their own.
 * Slow: it runs the type checker, and vitest.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify, stripVTControlCharacters } from "node:util";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FOLDER = "test/examples/vitest";
const MOST_MS = 120_000;

/** Runs a command of a package like npx, and returns its output. */
async function run(command: string, ...args: readonly string[]): Promise<string> {
  const options = { cwd: ROOT, timeout: MOST_MS };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [`node_modules/${command}`, ...args],
    options,
  );
  return stripVTControlCharacters(stdout);
}

describe("the example of tests under vitest", () => {
  it("passes", async () => {
    const output = await run("vitest/vitest.mjs", "run", "--dir", FOLDER);
    assert.match(output, /Tests +2 passed \(2\)/);
  });

  it("passes the type check", async () => {
    assert.equal(await run("typescript/bin/tsc", "-p", FOLDER), "");
  });
});
