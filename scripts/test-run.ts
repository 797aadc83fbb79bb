/**
 * `npm test`: runs the compiled tests with Node.js's test runner.
 *
 * Runs on: the runner's process. Each test file runs in its own process.
 *
 * The runner can run files concurrently, but cannot run some of them separately. It is therefore
 * started twice: first with the files that may run together, then with the files that must run
 * alone (`test-plan.ts`). Both runs produce one report.
 */

import { setMaxListeners } from "node:events";
import { createWriteStream, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { run } from "node:test";
import type { TestEvent } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { prepareTests } from "./prepare-tests.ts";
import { killLate } from "./test-deadline.ts";
import { sourceOf } from "./test-failures.ts";
import { byFolder, complaintsOf, planTests, type TestFile, type TestPlan } from "./test-plan.ts";
import { report, type ReportResult, type ReportSettings } from "./test-reporter.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TIMES = join(ROOT, "dist/test-times.json");
const LISTING = "dist/test-report.txt";
/** A file that hangs fails after this time. */
const FILE_TIMEOUT_MS = 300_000;
/** Time for a file to end after one of its tests has failed at the time limit. */
const END_MS = 10_000;
/** One more than the number of cores, because many tests spend most of their time waiting. */
const CONCURRENCY = availableParallelism() + 1;
const CHECKLIST = "test/conformance/CHECKLIST.md";
const SLOWEST = 30;

const HELP = `npm test -- [options] [files]

  --only PART                  files whose path contains PART; may be repeated
  --quick                      a result within 90 seconds: skips files that are marked as slow or
                               that must run alone
  --test-name-pattern PATTERN  tests whose name matches; may be repeated
  --test-concurrency COUNT     files at the same time (${CONCURRENCY})
  --test-timeout MS            timeout of each file (${FILE_TIMEOUT_MS})
  --verbose                    also print Node.js's own report, with a line for each test; it is
                               always written to ${LISTING}
  --times                      list the slowest files and tests at the end
`;

/** The choices made by the arguments. */
interface Choice {
  /** Paths of files; empty for all files. */
  readonly named: readonly string[];
  readonly only: readonly string[];
  readonly patterns: readonly string[];
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly isQuick: boolean;
  readonly isVerbose: boolean;
  readonly hasTimes: boolean;
}

/** Runs tests. @returns the exit code */
export async function runTests(args: readonly string[]): Promise<number> {
  try {
    const choice = choiceOf(args);
    if (choice) return await runChosen(choice);
    process.stdout.write(HELP);
    return 0;
  } catch (error) {
    process.stderr.write(`npm test: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

/** Parses the arguments; returns undefined for the help. */
function choiceOf(args: readonly string[]): Choice | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: "string", multiple: true },
      quick: { type: "boolean" },
      "test-name-pattern": { type: "string", multiple: true },
      "test-concurrency": { type: "string" },
      "test-timeout": { type: "string" },
      verbose: { type: "boolean" },
      times: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help) return undefined;
  return {
    named: positionals,
    only: values.only ?? [],
    patterns: values["test-name-pattern"] ?? [],
    concurrency: numberOf("test-concurrency", values["test-concurrency"], CONCURRENCY),
    timeoutMs: numberOf("test-timeout", values["test-timeout"], FILE_TIMEOUT_MS),
    isQuick: values.quick ?? false,
    isVerbose: values.verbose ?? false,
    hasTimes: values.times ?? false,
  };
}

function numberOf(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new Error(`--${name} must be a whole number from 1, got ${text}`);
}

async function runChosen(choice: Choice): Promise<number> {
  const { named, only, isQuick, isVerbose } = choice;
  const files = filesOf(named.length > 0 ? named : testsIn("test"), only);
  const times = readTimes();
  const plan = planTests(files, isQuick, times);
  prepareTests(
    files.filter(({ path }) => !plan.leftOut.includes(path)),
    !isQuick,
  );
  const killed: string[] = [];
  const limitMs = choice.timeoutMs + END_MS;
  const stopKilling = killLate(limitMs, (file) => {
    killed.push(`${sourceOf(file)} was killed: it must end within ${limitMs} ms`);
  });
  const listing = createWriteStream(join(ROOT, LISTING));
  const abort = new AbortController();
  // Each file adds a listener.
  setMaxListeners(0, abort.signal);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => abort.abort());
  const settings: ReportSettings = {
    out: isVerbose ? { write: (text) => process.stdout.write(text) } : process.stdout,
    listings: isVerbose ? [listing, process.stdout] : [listing],
    files: plan.together.length + plan.alone.length,
    checklist: join(ROOT, CHECKLIST),
    scope: scopeOf(choice),
    interrupted: abort.signal,
    notes: (result) => {
      // With a pattern, only parts of the files run.
      if (choice.patterns.length === 0) writeTimes(new Map([...times, ...result.times]));
      return [...killed, ...notesOf(result, { files, plan, choice })];
    },
  };
  const hasPassed = await report(eventsOf(plan, choice, abort.signal), settings);
  listing.end();
  stopKilling();
  return hasPassed && killed.length === 0 ? 0 : 1;
}

/** Returns the scope of CHECKLIST.md rows that can be checked after a run. */
function scopeOf({ named, only, isQuick, patterns }: Choice): ReportSettings["scope"] {
  if (patterns.length > 0) return "none";
  return named.length === 0 && only.length === 0 && !isQuick ? "whole" : "part";
}

/** Returns the paths of all test files in a folder, relative to the package's folder. */
function testsIn(folder: string): string[] {
  // Listed from the sources, because dist may still have tests whose source was deleted.
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => join(folder, path))
    .toSorted();
}

function filesOf(paths: readonly string[], only: readonly string[]): TestFile[] {
  const chosen = paths.filter(
    (path) => only.length === 0 || only.some((part) => path.includes(part)),
  );
  if (chosen.length === 0) throw new Error(`no test file has ${only.join(" or ")} in its path`);
  const missing = chosen.filter((path) => !existsSync(compiledOf(path)));
  if (missing.length > 0)
    throw new Error(`tests must be compiled, got none of ${missing.join(", ")}; run npm run build`);
  return chosen.map((path) => ({ path, source: readFileSync(join(ROOT, path), "utf8") }));
}

function compiledOf(path: string): string {
  return join(ROOT, "dist", path.replace(/\.ts$/, ".js"));
}

/**
 * Runs both groups of files.
 *
 * @yields the events of both, as if they were one run
 */
async function* eventsOf(
  plan: TestPlan,
  choice: Choice,
  interrupted: AbortSignal,
): AsyncGenerator<TestEvent> {
  const totals = new Map<string, number>();
  const lanes = [
    { paths: plan.together, concurrency: choice.concurrency },
    { paths: plan.alone, concurrency: 1 },
  ];
  for (const { paths, concurrency } of lanes) {
    if (paths.length === 0) continue;
    const events = run({
      files: paths.map(compiledOf),
      concurrency,
      timeout: choice.timeoutMs,
      testNamePatterns: choice.patterns,
      signal: interrupted,
    }) as AsyncIterable<TestEvent>;
    for await (const event of events) {
      // From here on, the runner reports tests that did not run as failed.
      if (interrupted.aborted) return;
      const [name, count] = totalOf(event) ?? [];
      if (name === undefined) yield event;
      else totals.set(name, (totals.get(name) ?? 0) + Number(count));
    }
  }
  for (const [name, count] of totals)
    yield { type: "test:diagnostic", data: { nesting: 0, message: `${name} ${count}` } };
}

/** Returns the name and the count of a total in the runner's summary. */
function totalOf({ type, data }: TestEvent): string[] | undefined {
  if (type !== "test:diagnostic" || data.nesting !== 0) return undefined;
  return /^([a-z_]+) ([\d.]+)$/.exec(data.message)?.slice(1);
}

function secondsOf(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`.padStart(8);
}

/** Returns the lines to print before the summary. */
function notesOf(
  { record, times }: ReportResult,
  { files, plan, choice }: { files: readonly TestFile[]; plan: TestPlan; choice: Choice },
): string[] {
  const notes: string[] = [];
  if (choice.hasTimes) {
    const slowest = [...times].toSorted((a, b) => b[1] - a[1]).slice(0, SLOWEST);
    const tests = record.tests.toSorted((a, b) => b.ms - a.ms).slice(0, SLOWEST);
    notes.push("slowest files", ...slowest.map(([path, ms]) => `${secondsOf(ms)}  ${path}`), "");
    notes.push(
      "slowest tests",
      ...tests.map(({ file, name, ms }) => `${secondsOf(ms)}  ${file} › ${name}`),
      "",
    );
  }
  notes.push(...complaintsOf(files, times, (loadavg()[0] ?? 0) / availableParallelism()));
  if (plan.leftOut.length > 0) {
    notes.push(`--quick skipped ${plan.leftOut.length} of ${files.length} files:`);
    notes.push(...byFolder(plan.leftOut).map((line) => `  ${line}`));
  }
  if (record.failures.length > 0) notes.push(`the full report is in ${LISTING}`);
  return notes;
}

function readTimes(): Map<string, number> {
  if (!existsSync(TIMES)) return new Map();
  const times = JSON.parse(readFileSync(TIMES, "utf8")) as Readonly<Record<string, number>>;
  return new Map(Object.entries(times));
}

function writeTimes(times: ReadonlyMap<string, number>): void {
  const entries = [...times].map(([path, ms]) => [path, Math.round(ms)]);
  writeFileSync(TIMES, `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`);
}
