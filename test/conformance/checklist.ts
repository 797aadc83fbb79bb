/**
 * CHECKLIST.md: each feature of Phoenix Channels with what proves it here, and what is wrong with that.
 *
 * Runs on: the reporter of `npm test`, and the main thread of the tests. Text in, complaints out.
 *
 * A row is `| number | feature | proof |`. A proof is one of these, or several with `<br>` between them:
 *
 *   `test/token/token.test.ts` › a token › may be missing   a test: its file, its suites and its name
 *   `01-join` › join_ok                                     a recorded scenario, in each way it is played
 *   not here: why                                           there is no such thing, and nothing to prove
 *   …                                                       words for who reads it
 */

import { VARIANTS } from "./variants.ts";

/** How many features there are. */
export const FEATURES = 122;
/** What parts a test's suites and its name. */
export const JOINT = " › ";

const NOT_HERE = /^not here: \S/;

/** A test by where it is written, with its suites in its name. */
export interface TestName {
  readonly file: string;
  readonly name: string;
}

/** One row. Of a feature that is not here, `tests` may be empty. */
export interface Row {
  readonly number: number;
  readonly feature: string;
  readonly isHere: boolean;
  readonly tests: readonly TestName[];
  /** Cells, or parts of them, that are none of the forms above. */
  readonly malformed: readonly string[];
}

/** How a test, or a suite that did not run, came out. A reason is undefined where none was given. */
export type Outcome =
  | { readonly kind: "passed" | "failed" }
  | { readonly kind: "skipped"; readonly reason: string | undefined };

/** What ran, by file and name. */
export interface TestRun {
  /** Files that at least one test was seen of. */
  readonly files: ReadonlySet<string>;
  outcomeOf(test: TestName): Outcome | undefined;
}

/** Writes a name so that Markdown shows it as it is, and a table keeps it in its cell. */
export function toMarkdown(name: string): string {
  return name.replaceAll(/[\\`|*<[\]~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, String.raw`\$&`);
}

/** Reads a name that `toMarkdown` has written. */
export function fromMarkdown(text: string): string {
  return text.replaceAll(/\\([\\`|*<[\]~&_])/g, "$1");
}

/** Gives the tests by which the runner knows a recorded scenario. */
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

/** Says what is wrong with the table by itself, a line each. */
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
      .map(([number]) => `row ${number} is no feature: they are numbered from 1 to ${FEATURES}`),
    ...[...counts]
      .filter(([, count]) => count > 1)
      .map(([number, count]) => `row ${number} is there ${count} times: keep one`),
    ...rows.flatMap((row) => problemsOfRow(row)),
  ];
}

/**
 * Says which rows rest on what did not run, a line each.
 *
 * @param isWhole - whether everything was to run; else only files that something ran of are looked at
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
    (part) => `row ${number}: ${part.trim()}: neither a test, a scenario, nor words without ›`,
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
      ? "was skipped without a reason: have it run, or give skip a text"
      : undefined;
  }
  // A test that failed is told of by the runner.
  if (outcome) return undefined;
  const parts = test.name.split(JOINT);
  const above = parts
    .map((_, at) => run.outcomeOf({ file: test.file, name: parts.slice(0, at).join(JOINT) }))
    .find((suite) => suite?.kind === "skipped" && suite.reason !== undefined);
  return above ? undefined : "did not run: name a test that there is, or write it";
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

/** Gives the cells of a line of a table, with an empty one at each end. */
function cellsOf(line: string): string[] {
  return split(line, "|").map((cell) => cell.trim());
}

/** Splits at a mark where no backslash escapes it. */
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
