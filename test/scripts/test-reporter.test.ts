/**
 * What `npm test` prints of a run, and how it ends: with failures, and with rows of the checklist that rest
 * on what did not run.
 *
 * Runs on: the test's thread; the runner is a process of its own.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { toMarkdown } from "../conformance/checklist.ts";
import { within } from "../support/deadline.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const CASES = "test/scripts/test-reporter.cases.ts";
const FAILING = "test/scripts/test-failures.cases.ts";
const SUITE = "a suite | of `cases`";
const PASSING = [
  `${SUITE} › passes, and says <br> and *more*`,
  `${SUITE} › with one inside › passes`,
  `${SUITE} › a suite of another file › passes`,
];
const RUNNER = fileURLToPath(new URL("test-reporter.runner.js", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "simurgh-reporter-"));
after(() => rmSync(folder, { recursive: true }));

function proof(name: string, file = CASES): string {
  return `\`${file}\` › ${toMarkdown(name)}`;
}

/** Runs cases under the reporter; returns what it printed, the listing and its exit code. */
async function run(
  proofs: readonly string[],
  scope: string,
  cases = CASES,
): Promise<{ readonly output: string; readonly listing: string; readonly code: unknown }> {
  const checklist = join(folder, "list.md");
  const listing = join(folder, "listing.txt");
  const rows = proofs.map((each, at) => `| ${at + 1} | a feature | ${each} |\n`);
  writeFileSync(checklist, rows.join(""));
  const files = [join(ROOT, "dist", cases.replace(/\.ts$/, ".js"))];
  const settings = JSON.stringify({ files, listing, checklist, scope });
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const child = spawn(process.execPath, [RUNNER, settings], {
    cwd: ROOT,
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  const output = await within(text(child.stdout), "the report");
  const [code] = (await within(ended, "the end of the run")) as [unknown];
  return { output, listing: readFileSync(listing, "utf8"), code };
}

describe("the reporter of npm test", () => {
  it("prints notes and the summary, and nothing more, where all that is named ran", async () => {
    const inSkipped = "a suite that is skipped for a reason › has a test";
    const names = [...PASSING, `${SUITE} › is skipped for a reason`, inSkipped];
    for (const scope of ["whole", "part"]) {
      const { output, listing, code } = await run(
        names.map((name) => proof(name)),
        scope,
      );
      assert.equal(code, 0);
      assert.match(output, /^\na note\n\nℹ tests \d+\n(?:ℹ .*\n)+$/);
      assert.ok(listing.includes("✔ passes, and says <br> and *more*"), listing);
    }
  });

  it("says before the summary which rows rest on what did not run, and fails", async () => {
    const { output, code } = await run(
      [
        ...PASSING.map((name) => proof(name)),
        proof(`${SUITE} › is not there`),
        proof(`${SUITE} › is skipped`),
        proof(`${SUITE} › is still to be done`),
        proof(SUITE),
        proof("a test", "test/scripts/elsewhere.test.ts"),
      ],
      "whole",
    );
    assert.equal(code, 1);
    const told = output
      .split("\n")
      .filter((line) => line.startsWith("✖ row "))
      .map((line) => /^✖ row (\d+): .*: (.*):/.exec(line)?.slice(1));
    assert.deepEqual(told, [
      ["4", "did not run"],
      ["5", "was skipped without a reason"],
      ["6", "was skipped without a reason"],
      ["7", "did not run"],
      ["8", "did not run"],
    ]);
    assert.match(output, /✖ row 8: [^\n]*\n\na note\n\nℹ tests \d+\n(?:ℹ .*\n)+$/);
  });

  it("looks at the files that ran where not all did, and at none where tests were left out", async () => {
    const elsewhere = proof("a test", "test/scripts/elsewhere.test.ts");
    assert.equal((await run([elsewhere], "part")).code, 0);
    assert.equal((await run([proof("is not there")], "part")).code, 1);
    assert.equal((await run([proof("is not there")], "none")).code, 0);
  });

  it("says which file failed at once, and at the end what failed and where", async () => {
    const { output, code } = await run([], "none", FAILING);
    assert.equal(code, 1);
    assert.ok(output.startsWith(`✖ ${FAILING}\n\n✖ failed tests: 1\n\n`), output);
    assert.ok(output.includes(`1. ${FAILING} › a suite › fails\n`), output);
    assert.match(output, /\n {3}AssertionError: [^\n]+\n(?: {3}.+\n)+/);
    const lines = readFileSync(join(ROOT, FAILING), "utf8").split("\n");
    const at = lines.findIndex((line) => line.includes("assert.deepEqual")) + 1;
    assert.ok(output.includes(`   at ${FAILING}:${at}\n`), output);
    assert.match(output, /\nℹ fail 1\n(?:ℹ .*\n)+$/);
  });
});
