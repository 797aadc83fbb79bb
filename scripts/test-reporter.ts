/**
 * The reporter of `npm test`: prints Node's own report and, before its summary, the tests that
 * CHECKLIST.md relies on but that did not run. If there are any, the exit code is 1, as for a failed
 * test.
 *
 * Runs on: the runner's process. Environment variables, set by scripts/test.mjs:
 *   CHECKLIST_SCOPE   `whole` if all tests were to run, `part` for some files; with any other value
 *                     nothing is checked, because tests within a file were left out
 *   CHECKLIST         a list other than test/conformance/CHECKLIST.md
 */

import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { spec } from "node:test/reporters";
import type { TestEvent } from "node:test/reporters";

import { problemsOfRun, readRows } from "../test/conformance/checklist.ts";
import { TestRecord } from "./test-record.ts";

const LIST = new URL("../../test/conformance/CHECKLIST.md", import.meta.url);
const { CHECKLIST_SCOPE: scope, CHECKLIST: list = LIST } = process.env;

/**
 * Reports a run.
 *
 * @yields the text to print
 */
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  yield* Readable.from(withProblems(source)).compose<Readable>(new spec());
}

async function* withProblems(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  const record = new TestRecord();
  let isChecked = false;
  for await (const event of source) {
    record.add(event);
    if (!isChecked && beginsSummary(event)) {
      yield* problemsOf(record);
      isChecked = true;
    }
    yield event;
  }
  if (!isChecked) yield* problemsOf(record);
}

function beginsSummary({ type, data }: TestEvent): boolean {
  return type === "test:diagnostic" && data.nesting === 0 && /^tests \d+$/.test(data.message);
}

function* problemsOf(record: TestRecord): Generator<TestEvent> {
  if (scope !== "whole" && scope !== "part") return;
  const problems = problemsOfRun(readRows(readFileSync(list, "utf8")), record, scope === "whole");
  if (problems.length === 0) return;
  process.exitCode = 1;
  const lines = problems.map((problem) => `✖ ${problem}\n`);
  const message = `\n✖ test/conformance/CHECKLIST.md relies on tests that did not run:\n${lines.join("")}\n`;
  yield { type: "test:stderr", data: { file: String(list), message } };
}
