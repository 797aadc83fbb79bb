/**
 * Checks that CHECKLIST.md has each feature once, with its proof, and tests the reported problems.
 *
 * Runs on: the main thread of the tests. `scripts/test-reporter.ts` checks after the run that the tests named
 * in the list have run.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { readTranscript, transcriptNames } from "./scenario.ts";
import {
  FEATURES,
  fromMarkdown,
  JOINT,
  problemsOfRows,
  problemsOfRun,
  readRows,
  testsOfScenario,
  toMarkdown,
} from "./checklist.ts";
import type { Outcome, Row, TestRun } from "./checklist.ts";

const ROOT = new URL("../../../", import.meta.url);
const FILE = "test/a.test.ts";
const FIRST = `\`${FILE}\` › a suite › a test`;

/** Makes rows for all numbers, with the given ones replaced. */
function rowsWith(lines: readonly string[], without: readonly number[] = []): Row[] {
  const own = new Set([...without, ...lines.map((line) => Number(/^\| (\d+)/.exec(line)?.[1]))]);
  const others = Array.from({ length: FEATURES }, (_, at) => at + 1).filter((n) => !own.has(n));
  const all = others.map((n) => `| ${n} | a feature | ${FIRST} |`);
  return readRows([...lines, ...all].join("\n"));
}

/** Makes a run of the tests of one file. */
function ran(outcomes: Readonly<Record<string, Outcome>>): TestRun {
  return {
    files: new Set([FILE]),
    outcomeOf: ({ file, name }) => (file === FILE ? outcomes[name] : undefined),
  };
}

function skippedFor(reason: string | undefined): Outcome {
  return { kind: "skipped", reason };
}

describe("CHECKLIST.md", () => {
  const markdown = readFileSync(new URL("test/conformance/CHECKLIST.md", ROOT), "utf8");
  const rows = readRows(markdown);

  it("has each feature once, with a test or the reason why it is not here", () => {
    assert.deepEqual(problemsOfRows(rows), []);
    assert.deepEqual(
      rows.map(({ number }) => number),
      Array.from({ length: FEATURES }, (_, at) => at + 1),
    );
  });

  it("names existing files and recorded scenarios", () => {
    const files = new Set(rows.flatMap(({ tests }) => tests.map(({ file }) => file)));
    assert.deepEqual(
      [...files].filter((file) => !existsSync(new URL(file, ROOT))),
      [],
    );
    const recorded = transcriptNames().flatMap((transcript) =>
      readTranscript(transcript).flatMap(({ name }) => testsOfScenario(transcript, name)),
    );
    const [first] = recorded;
    const known = new Set(recorded.map(({ name }) => name));
    const named = rows.flatMap(({ tests }) => tests).filter(({ file }) => file === first?.file);
    assert.ok(named.length > 100, `${named.length} scenarios`);
    assert.deepEqual(
      named.filter(({ name }) => !known.has(name)),
      [],
    );
  });
});

describe("A row of the checklist", () => {
  it("has tests, recorded scenarios, and other text", () => {
    const [row, ...others] = readRows(
      [
        "| # | Feature | Proof |",
        "| --- | --- | --- |",
        "| 7 | seven | `test/a.test.ts` › one<br>`01-join` › join_ok<br>Some words. |",
      ].join("\n"),
    );
    const suite = "Phoenix, as recorded, on";
    const scenario = "01-join › join_ok";
    assert.deepEqual(others, []);
    assert.deepEqual(row, {
      number: 7,
      feature: "seven",
      isHere: true,
      tests: [
        { file: "test/a.test.ts", name: "one" },
        ...[
          ["one-shard", "1 of our shards"],
          ["two-shards", "2 of our shards"],
          ["two-shards-held", "2 of our shards, which hold broadcasts for 3 ms"],
        ].map(([file, shards]) => ({
          file: `test/conformance/${file}.test.ts`,
          name: `${suite} ${shards} › ${scenario}`,
        })),
      ],
      malformed: [],
    });
  });

  it("preserves the names of tests through Markdown (property)", () => {
    const odd = fc.string({
      unit: fc.constantFrom("`", "|", "\\", "<br>", "*", "[", "_", "~", "&", "a", "›"),
    });
    fc.assert(
      fc.property(fc.array(odd, { minLength: 1 }), (parts) => {
        const name = `a${parts.join(" ")}.`;
        assert.equal(fromMarkdown(toMarkdown(name)), name);
        const line = `| 1 | a feature | \`${FILE}\` › ${toMarkdown(name)}<br>${FIRST} |`;
        const [{ tests, malformed } = assert.fail("no row")] = readRows(line);
        assert.deepEqual([tests.length, tests[0]?.name, malformed], [2, name, []]);
      }),
    );
  });

  it("is reported by its number if it is missing, duplicated or unknown", () => {
    const double = `| 5 | again | ${FIRST} |`;
    assert.deepEqual(problemsOfRows(rowsWith([double, double, `| 123 | x | ${FIRST} |`], [3])), [
      'row 3 is missing: add it, with a test or with "not here: " and why',
      "row 123 does not exist: features are numbered from 1 to 122",
      "row 5 appears 2 times: keep one",
    ]);
  });

  it("needs a feature, and a test or the reason why it is not here", () => {
    assert.deepEqual(problemsOfRows(rowsWith(["| 1 | a | not here: no such thing |"])), []);
    const rows = rowsWith([
      "| 2 | a | Only words. |",
      "| 3 | a | not here: |",
      `| 4 |  | ${FIRST} |`,
    ]);
    const why = 'has no proof: name a test, or say "not here: " and why';
    assert.deepEqual(problemsOfRows(rows), [
      `row 2 ${why}`,
      `row 3 ${why}`,
      "row 4 has no feature: say what it is",
    ]);
  });

  it("reports malformed parts", () => {
    for (const part of [
      "test/a.test.ts › no code",
      "`src/a.ts` › no test",
      "`01-join` › two words",
      "",
    ]) {
      const [problem, ...others] = problemsOfRows(rowsWith([`| 9 | a | ${FIRST}<br>${part} |`]));
      assert.equal(problem, `row 9: ${part}: must be a test, a scenario, or text without ›`);
      assert.deepEqual(others, []);
    }
    const [problem] = problemsOfRows(rowsWith([`| 9 | a | ${FIRST} | more |`]));
    assert.match(problem ?? "", /^row 9: .* more/);
  });
});

describe("A run of the checklist's tests", () => {
  const rows = readRows(`| 4 | a | ${FIRST} |`);
  const told = (outcomes: Readonly<Record<string, Outcome>>): string[] =>
    problemsOfRun(rows, ran(outcomes), false);

  it("reports nothing for tests that passed, or whose failure the runner reports", () => {
    for (const kind of ["passed", "failed"] as const) {
      assert.deepEqual(told({ "a suite › a test": { kind } }), []);
    }
  });

  it("reports a row whose test does not exist", () => {
    assert.deepEqual(told({ "a suite › another test": { kind: "passed" } }), [
      `row 4: ${FILE} › a suite › a test: did not run: name an existing test, or write it`,
    ]);
  });

  it("reports a row whose test was skipped without a reason", () => {
    assert.deepEqual(told({ "a suite › a test": skippedFor("no browser here") }), []);
    assert.deepEqual(told({ "a suite › a test": skippedFor(undefined) }), [
      `row 4: ${FILE} › a suite › a test: was skipped without a reason: run it, or give skip a text`,
    ]);
  });

  it("reports the same for a test in a skipped suite", () => {
    assert.deepEqual(told({ "a suite": skippedFor("no browser here") }), []);
    assert.equal(told({ "a suite": skippedFor(undefined) }).length, 1);
  });

  it("checks files that ran, or all files if all were to run", () => {
    const other = readRows(`| 8 | a | \`test/b.test.ts\`${JOINT}a test |`);
    assert.deepEqual(problemsOfRun(other, ran({}), false), []);
    assert.match(problemsOfRun(other, ran({}), true).join("\n"), /^row 8: test\/b\.test\.ts › /);
  });
});
