/**
 * What `npm test` prints of a run, and how it ends, where the checklist rests on what did not run.
 *
 * Runs on: the test's thread; node's runner is a process of its own.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { toMarkdown } from "../conformance/checklist.ts";
import { within } from "../support/deadline.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const CASES = "test/scripts/test-reporter.cases.ts";
const SUITE = "a suite | of `cases`";
const PASSING = [
  `${SUITE} › passes, and says <br> and *more*`,
  `${SUITE} › with one inside › passes`,
  `${SUITE} › a suite of another file › passes`,
];

const folder = mkdtempSync(join(tmpdir(), "simurgh-reporter-"));
after(() => rmSync(folder, { recursive: true }));

function proof(name: string, file = CASES): string {
  return `\`${file}\` › ${toMarkdown(name)}`;
}

/** Runs the cases under the reporter; gives what it printed and its exit code. */
async function run(
  proofs: readonly string[],
  scope: string,
): Promise<{ readonly output: string; readonly code: unknown }> {
  const list = join(folder, "list.md");
  writeFileSync(list, proofs.map((each, at) => `| ${at + 1} | a feature | ${each} |\n`).join(""));
  // A runner within a test would take itself for a part of that test's run.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const child = spawn(
    process.execPath,
    ["--test", "--test-reporter=./dist/scripts/test-reporter.js", `dist/${CASES.slice(0, -3)}.js`],
    { cwd: ROOT, env: { ...environment, CHECKLIST: list, CHECKLIST_SCOPE: scope } },
  );
  const ended = once(child, "close");
  const output = await within(text(child.stdout), "the report");
  const [code] = (await within(ended, "the end of the run")) as [unknown];
  return { output, code };
}

describe("the reporter of npm test", () => {
  it("prints what node prints, and nothing more, where all that is named ran", async () => {
    const inSkipped = "a suite that is skipped for a reason › has a test";
    const names = [...PASSING, `${SUITE} › is skipped for a reason`, inSkipped];
    for (const scope of ["whole", "part"]) {
      const { output, code } = await run(
        names.map((name) => proof(name)),
        scope,
      );
      assert.equal(code, 0);
      assert.ok(output.includes("✔ passes, and says <br> and *more*"), output);
      assert.ok(!output.includes("CHECKLIST"), output);
      assert.match(output, /\nℹ tests \d+\n(?:ℹ .*\n)+$/);
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
    assert.match(output, /✖ row 8: [^\n]*\n\nℹ tests \d+\n(?:ℹ .*\n)+$/);
  });

  it("looks at the files that ran where not all did, and at none where tests were left out", async () => {
    const elsewhere = proof("a test", "test/scripts/elsewhere.test.ts");
    assert.equal((await run([elsewhere], "part")).code, 0);
    assert.equal((await run([proof("is not there")], "part")).code, 1);
    assert.equal((await run([proof("is not there")], "none")).code, 0);
  });
});
