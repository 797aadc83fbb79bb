/**
 * Types that are inferred from a definition: what compiles, what does not, and the compiler's messages.
 *
 * The fixtures import the package by its name, which resolves to the sources. After an intended change,
 * replace `wrong.txt` with the compiler's new output for `wrong.ts`.
 *
 * Runs on: the test's thread; the compiler is a separate process.
 * Slow: it runs the type checker.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const FIXTURES = join(ROOT, "test/fixtures/types");

/** Returns the compiler's output for each of the fixtures. */
function compiled(): Map<string, string> {
  const require = createRequire(import.meta.url);
  const compiler = join(dirname(require.resolve("typescript/package.json")), "bin/tsc");
  const { stdout } = spawnSync(process.execPath, [compiler, "-p", FIXTURES, "--pretty", "false"], {
    cwd: FIXTURES,
    encoding: "utf8",
  });
  const said = new Map<string, string>();
  let file = "";
  for (const line of stdout.split("\n")) {
    file = /^(.+?)\(\d+,\d+\): /.exec(line)?.[1] ?? file;
    if (line !== "") said.set(file, `${said.get(file) ?? ""}${line}\n`);
  }
  return said;
}

describe("the types of an app", () => {
  const said = compiled();

  it("are inferred from its definitions, in callbacks, in clients and on the host", () => {
    assert.equal(said.get("app.ts"), undefined);
    assert.equal(said.get("right.ts"), undefined);
  });

  it("reject mistakes, with readable messages at the right place", () => {
    assert.equal(said.get("wrong.ts"), readFileSync(join(FIXTURES, "wrong.txt"), "utf8"));
  });

  it("use nothing from Node.js's types that newer releases lack", () => {
    const types = join(ROOT, "dist/src");
    const files = readdirSync(types, { recursive: true, encoding: "utf8" });
    const declared = files.filter((name) => name.endsWith(".d.ts"));
    assert.ok(declared.includes("index.d.ts"));
    const old = declared.filter((name) =>
      /\b(?:TransferListItem|JsonWebKey)\b/.test(readFileSync(join(types, name), "utf8")),
    );
    assert.deepEqual(old, []);
  });

  it("exist in no other file", () => {
    assert.deepEqual([...said.keys()], ["wrong.ts"]);
  });
});
