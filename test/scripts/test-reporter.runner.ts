/**
 * Runs test files under the reporter. Its argument is JSON: files, listing, checklist and scope.
 *
 * Runs on: a process of its own, as a runner within a test would take itself for a part of that test's run.
 */
import { createWriteStream } from "node:fs";
import { run } from "node:test";
import type { TestEvent } from "node:test/reporters";

import { report, type ReportSettings } from "../../scripts/test-reporter.ts";

interface Given extends Pick<ReportSettings, "checklist" | "scope"> {
  readonly files: readonly string[];
  readonly listing: string;
}

const { files, listing, ...given } = JSON.parse(process.argv[2] ?? "") as Given;
const stream = createWriteStream(listing);
const hasPassed = await report(run({ files }) as AsyncIterable<TestEvent>, {
  ...given,
  out: process.stdout,
  listings: [stream],
  files: files.length,
  interrupted: new AbortController().signal,
  notes: () => ["a note"],
});
process.exitCode = hasPassed ? 0 : 1;
stream.end();
