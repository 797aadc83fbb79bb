/**
 * CHECKLIST.md: reads the features of Phoenix Channels with their proofs, and reports problems.
 *
 * Runs on: the reporter of `npm test`, and the main thread of the tests. Pure.
 *
 * A row is `| number | feature | proof |`. A proof consists of one or more of these, separated by `<br>`:
 *
 *   `test/token/token.test.ts` › a token › may be missing   a test: its file, its suites and its name
 *   `01-join` › join_ok                                     a recorded scenario, in each way it is replayed
 *   not here: why                                           the feature does not exist, so there is no proof
 *   …                                                       text for the reader
 */

import { VARIANTS } from "./variants.ts";

/** Number of features. */
export const FEATURES = 122;
/** Separates the file, the suites and the name of a test. */
export const JOINT = " › ";

const NOT_HERE = /^not here: \S/;

/** A test: its file, and its name including its suites. */
export interface TestName {
  readonly file: string;
  readonly name: string;
}

/** A row. `tests` may be empty if the feature does not exist. */
export interface Row {
  readonly number: number;
  readonly feature: string;
  readonly isHere: boolean;
  readonly tests: readonly TestName[];
  /** Parts of cells that have none of the forms above. */
  readonly malformed: readonly string[];
}

/** The outcome of a test, or of a suite that did not run. A reason is undefined if none was given. */
export type Outcome =
  | { readonly kind: "passed" | "failed" }
  | { readonly kind: "skipped"; readonly reason: string | undefined };

/** The tests of a run, by file and name. */
export interface TestRun {
  /** Files with at least one test in the run. */
  readonly files: ReadonlySet<string>;
  outcomeOf(test: TestName): Outcome | undefined;
}

/** Escapes a name so that Markdown shows it unchanged within a table cell. */
export function toMarkdown(name: string): string {
  return name.replaceAll(/[\\`|*<[\]~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, String.raw`\$&`);
}

/** Reverses `toMarkdown`. */
export function fromMarkdown(text: string): string {
  return text.replaceAll(/\\([\\`|*<[\]~&_])/g, "$1");
}

/** Returns the tests that replay a recorded scenario. */
export function testsOfScenario(transcript: string, scenario: string): TestName[] {
  return Object.values(VARIANTS).map(({ name, file }) => ({
    file,
    name: [name, transcript, scenario].join(JOINT),
  }));
}

/** Reads the rows of the table whose first cell is a number. */
export function readRows(markdown: string): Row[] {
  return markdown.split("\n").flatMap((line) => {
    const [, number, feature = "", proof = "", ...rest] = cellsOf(line);
    if (number === undefined || !/^\d+$/.test(number)) return [];
    const proofs = split(proof, "<br>").map((part) => readProof(part.trim()));
    return {
      number: Number(number),
      feature,
      isHere: !proofs.some((part) => part === "not here"),
      tests: proofs.flatMap((part) => (typeof part === "object" ? part : [])),
      malformed: [
        ...split(proof, "<br>").filter((_, at) => proofs[at] === "malformed"),
        ...(rest.length === 1 ? [] : [line]),
      ],
    };
  });
}

/** Returns the problems of the table itself, one line each. */
export function problemsOfRows(rows: readonly Row[]): string[] {
  const counts = new Map<number, number>();
  for (const { number } of rows) counts.set(number, (counts.get(number) ?? 0) + 1);
  const numbers = Array.from({ length: FEATURES }, (_, at) => at + 1);
  return [
    ...numbers
      .filter((number) => !counts.has(number))
      .map(
        (number) => `row ${number} is missing: add it, with a test or with "not here: " and why`,
      ),
    ...[...counts]
      .filter(([number]) => !numbers.includes(number))
      .map(
        ([number]) => `row ${number} does not exist: features are numbered from 1 to ${FEATURES}`,
      ),
    ...[...counts]
      .filter(([, count]) => count > 1)
      .map(([number, count]) => `row ${number} appears ${count} times: keep one`),
    ...rows.flatMap((row) => problemsOfRow(row)),
  ];
}

/**
 * Returns the rows that rely on tests that did not run, one line each.
 *
 * @param isWhole - whether all tests were to run; otherwise only files with tests in the run are checked
 */
export function problemsOfRun(rows: readonly Row[], run: TestRun, isWhole: boolean): string[] {
  return rows.flatMap(({ number, tests }) =>
    tests
      .filter(({ file }) => isWhole || run.files.has(file))
      .flatMap((test) => {
        const problem = problemOfTest(test, run);
        return problem === undefined
          ? []
          : [`row ${number}: ${test.file}${JOINT}${test.name}: ${problem}`];
      }),
  );
}

function problemsOfRow({ number, feature, isHere, tests, malformed }: Row): string[] {
  const problems = malformed.map(
    (part) => `row ${number}: ${part.trim()}: must be a test, a scenario, or text without ›`,
  );
  if (feature === "") problems.push(`row ${number} has no feature: say what it is`);
  if (isHere && tests.length === 0)
    problems.push(`row ${number} has no proof: name a test, or say "not here: " and why`);
  return problems;
}

function problemOfTest(test: TestName, run: TestRun): string | undefined {
  const outcome = run.outcomeOf(test);
  if (outcome?.kind === "skipped") {
    return outcome.reason === undefined
      ? "was skipped without a reason: run it, or give skip a text"
      : undefined;
  }
  // The runner reports failed tests.
  if (outcome) return undefined;
  const parts = test.name.split(JOINT);
  const above = parts
    .map((_, at) => run.outcomeOf({ file: test.file, name: parts.slice(0, at).join(JOINT) }))
    .find((suite) => suite?.kind === "skipped" && suite.reason !== undefined);
  return above ? undefined : "did not run: name an existing test, or write it";
}

function readProof(text: string): TestName[] | "words" | "not here" | "malformed" {
  if (NOT_HERE.test(text)) return "not here";
  const [, file, name] = /^`(test\/[^`]+\.ts)` › (.+)$/.exec(text) ?? [];
  if (file !== undefined && name !== undefined) return [{ file, name: fromMarkdown(name) }];
  const [, transcript, scenario] = /^`(\d\d-[a-z0-9-]+)` › (\S+)$/.exec(text) ?? [];
  if (transcript !== undefined && scenario !== undefined)
    return testsOfScenario(transcript, fromMarkdown(scenario));
  return text === "" || text.includes("›") ? "malformed" : "words";
}

/** Returns the cells of a line of a table, with an empty one at each end. */
function cellsOf(line: string): string[] {
  return split(line, "|").map((cell) => cell.trim());
}

/** Splits text at a mark, unless the mark is escaped with a backslash. */
function split(text: string, mark: string): string[] {
  const parts = [""];
  for (let at = 0; at < text.length;) {
    const isMark = text.startsWith(mark, at);
    if (isMark) parts.push("");
    const taken = isMark ? 0 : text[at] === "\\" ? 2 : 1;
    parts[parts.length - 1] += text.slice(at, at + taken);
    at += isMark ? mark.length : taken;
  }
  return parts;
}
