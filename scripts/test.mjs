/**
 * `npm test`: runs the compiled tests with Node's own runner, whose summary comes last.
 *
 *   npm test                              all tests
 *   npm test -- --only pubsub             test files with "pubsub" in their path
 *   npm test -- --test-name-pattern=ring  any other option of node --test
 *
 * The reporter, `scripts/test-reporter.ts`, checks that the tests that CHECKLIST.md relies on have run, as
 * far as their files were to run. It checks nothing if an argument leaves out tests within a file.
 *
 * Runs on: node, after `npm run build`.
 */

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const REPORTER = "./dist/scripts/test-reporter.js";
/** Arguments of node --test that leave out tests within a file. */
const LEAVES_OUT = /^--(?:test-name-pattern|test-skip-pattern|test-only|test-shard)\b/;
/** A file that hangs fails after this time instead of blocking the run forever. */
const FILE_TIMEOUT_MS = 300_000;

const { only, others } = parse(process.argv.slice(2));
// Listed from the sources, because dist may still have tests whose source was deleted.
const sources = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".test.ts"))
  .map((path) => join("test", path))
  .filter((path) => only.length === 0 || only.some((part) => path.includes(part)))
  .toSorted();
const files = sources.map((path) => join("dist", path.replace(/\.ts$/, ".js")));
const missing = files.filter((path) => !existsSync(join(root, path)));

if (files.length === 0)
  fail(`no test file${only.length > 0 ? ` has ${only.join(" or ")} in its path` : ""}`);
if (missing.length > 0) fail(`not compiled: ${missing.join(", ")}; run npm run build`);

const runner = spawn(
  process.execPath,
  [
    "--test",
    `--test-reporter=${REPORTER}`,
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    ...others,
    ...files,
  ],
  { cwd: root, stdio: "inherit", env: { ...process.env, CHECKLIST_SCOPE: scopeOf(only, others) } },
);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => runner.kill(signal));
runner.on("exit", (code, signal) => {
  process.exitCode = code ?? 128 + constants.signals[signal];
});

/** Returns which of the checklist's tests must have run. */
function scopeOf(parts, rest) {
  if (rest.some((argument) => LEAVES_OUT.test(argument))) return "none";
  return parts.length === 0 ? "whole" : "part";
}

function parse(args) {
  const parts = [];
  const rest = [];
  for (let at = 0; at < args.length; at += 1) {
    if (args[at] !== "--only") rest.push(args[at]);
    else if (args[at + 1] === undefined)
      fail("--only must be followed by a part of a path, got none");
    else parts.push(args[(at += 1)]);
  }
  return { only: parts, others: rest };
}

function fail(text) {
  console.error(`npm test: ${text}`);
  process.exit(1);
}
