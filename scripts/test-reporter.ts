/**
 * The report of `npm test`: progress, failed tests, rows of CHECKLIST.md without a proof, notes, and finally the
 * runner's own summary.
 *
 * Runs on: the runner's process.
 *
 * Node.js's own report, with a line for each test, is written to a file and, if requested, to the
 * terminal.
 */

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { spec } from "node:test/reporters";
import type { TestEvent } from "node:test/reporters";

import { problemsOfRun, readRows } from "../test/conformance/checklist.ts";
import { describeFailures } from "./test-failures.ts";
import type { TestTimes } from "./test-plan.ts";
import { TestProgress, type ProgressSink } from "./test-progress.ts";
import { TestRecord } from "./test-record.ts";

const SUMMARY = /^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/** Maximum number of checklist rows that are listed. */
const MOST_PROBLEMS = 20;

/** The contents and destinations of the report. */
export interface ReportSettings {
  readonly out: ProgressSink;
  /** Destinations of Node.js's own report. */
  readonly listings: readonly Writable[];
  /** Number of test files in the run. */
  readonly files: number;
  /** Path of CHECKLIST.md. */
  readonly checklist: string;
  /**
   * `whole` if all tests were selected, `part` for all tests of some files, `none` if no row can be
   * checked.
   */
  readonly scope: "whole" | "part" | "none";
  /** Aborted if the run is interrupted. The report then does not mention tests that did not run. */
  readonly interrupted: AbortSignal;
  /** Returns lines to print before the summary. */
  readonly notes: (result: ReportResult) => readonly string[];
}

/** The result of a run. */
export interface ReportResult {
  readonly record: TestRecord;
  readonly times: TestTimes;
}

/** Reports a run. @returns whether everything passed and all rows have their proof */
export async function report(
  events: AsyncIterable<TestEvent>,
  settings: ReportSettings,
): Promise<boolean> {
  const { out, listings, files, notes } = settings;
  const record = new TestRecord();
  const progress = new TestProgress(out, files);
  const listing = new spec();
  for (const stream of listings) listing.pipe(stream, { end: false });
  const summary: string[] = [];
  for await (const event of events) {
    record.add(event);
    progress.add(event);
    if (isSummary(event)) summary.push(`ℹ ${event.data.message}`);
    listing.write(event);
  }
  listing.end();
  await finished(listing);
  progress.end();

  const { failures } = record;
  const problems = problemsOf(record, settings);
  if (failures.length > 0)
    out.write(`\n✖ failed tests: ${failures.length}\n\n${describeFailures(failures)}`);
  const name = basename(settings.checklist);
  writeLines(
    out,
    problems.length > 0
      ? [`✖ ${name} relies on tests that did not run:`, ...firstOf(problems)]
      : [],
  );
  writeLines(out, notes({ record, times: progress.times }));
  if (settings.interrupted.aborted) summary.push("✖ interrupted");
  writeLines(out, summary);
  return !settings.interrupted.aborted && failures.length === 0 && problems.length === 0;
}

type Diagnostic = Extract<TestEvent, { readonly type: "test:diagnostic" }>;

function isSummary(event: TestEvent): event is Diagnostic {
  const { type, data } = event;
  return type === "test:diagnostic" && data.nesting === 0 && SUMMARY.test(data.message);
}

/** Returns a line for each row of the checklist that relies on tests that did not run. */
function problemsOf(
  record: TestRecord,
  { checklist, scope, interrupted }: ReportSettings,
): string[] {
  if (scope === "none" || interrupted.aborted) return [];
  const rows = readRows(readFileSync(checklist, "utf8"));
  return problemsOfRun(rows, record, scope === "whole").map((problem) => `✖ ${problem}`);
}

/** Shortens a list that is too long to read. */
function firstOf(lines: readonly string[]): readonly string[] {
  const more = lines.length - MOST_PROBLEMS;
  return more > 0 ? [...lines.slice(0, MOST_PROBLEMS), `and ${more} more`] : lines;
}

function writeLines(out: ProgressSink, lines: readonly string[]): void {
  if (lines.length > 0) out.write(`\n${lines.map((line) => `${line}\n`).join("")}`);
}
