/**
 * Describes failed tests so that they fit on a screen: name, location, message, and our own stack frames.
 *
 * Runs on: the runner's process.
 *
 * Tests run compiled. Locations refer to the sources, using the source maps next to the compiled files.
 */

import { existsSync, readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect, stripVTControlCharacters } from "node:util";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Maximum number of lines for all failures together. */
const SCREEN_LINES = 48;
/** Minimum and maximum number of lines for one failure. */
const MIN_LINES = 5;
const MAX_LINES = 24;
/** Maximum number of failures that are described, and of failures whose names are printed. */
const MOST_DESCRIBED = 10;
const MOST_NAMED = 40;
const MAX_LINE_LENGTH = 160;
const MAX_FRAMES = 3;
const FRAME = /\(?(?:file:\/\/)?(\/[^\s():]+\.js):(\d+):(\d+)\)?$/;

/** A test that failed. */
export interface Failure {
  /** The source of the test's file, relative to the package's folder. */
  readonly file: string;
  /** Names of the test's suites, followed by its own name. Empty if the file itself failed. */
  readonly name: string;
  readonly error: unknown;
  /** The file's output on stderr; shown if the file itself failed. */
  readonly stderr: string;
}

/** Returns the source of a compiled file, relative to the package's folder. */
export function sourceOf(file: string): string {
  const path = file.startsWith("file:") ? fileURLToPath(file) : file;
  return relative(ROOT, path)
    .replace(/^dist\//, "")
    .replace(/\.js$/, ".ts");
}

/**
 * Describes all failures of a run. The more failures there are, the fewer lines each receives; some
 * are listed only by name.
 */
export function describeFailures(failures: readonly Failure[]): string {
  const share = Math.floor(SCREEN_LINES / Math.max(1, failures.length));
  const lines = Math.min(MAX_LINES, Math.max(MIN_LINES, share));
  const described = failures.slice(0, MOST_DESCRIBED);
  const named = failures.slice(MOST_DESCRIBED, MOST_NAMED);
  const more = failures.length - described.length - named.length;
  const titles = [...named.map(titleOf), ...(more > 0 ? [`and ${more} more`] : [])];
  return [
    ...described.map((failure, at) => describe(failure, at + 1, lines)),
    ...(titles.length > 0 ? [titles.map((title) => `${title}\n`).join("")] : []),
  ].join("\n");
}

function titleOf({ file, name }: Failure): string {
  return name === "" ? file : `${file} › ${name}`;
}

function describe(failure: Failure, number: number, most: number): string {
  const { name, error, stderr } = failure;
  const cause = causeOf(error);
  const frames = framesOf(cause).slice(0, MAX_FRAMES);
  const message = linesOf(messageOf(cause));
  const written = name === "" ? linesOf(stderr).slice(-most) : [];
  const room = Math.max(1, most - 1 - frames.length);
  const shown = [...message, ...written];
  const cut = shown.length > room ? [...shown.slice(0, room - 1), "…"] : shown;
  const body = [...cut, ...frames.map((frame) => `at ${frame}`)];
  return `${number}. ${titleOf(failure)}\n${body.map((line) => `   ${shorten(line)}\n`).join("")}`;
}

/** Returns the error that a test threw, which the runner wraps to send it between processes. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && "failureType" in error && error.cause !== undefined
    ? error.cause
    : error;
}

function messageOf(cause: unknown): string {
  if (typeof cause === "string") return cause;
  if (!(cause instanceof Error)) return inspect(cause, { depth: 2 });
  return `${cause.name}: ${cause.message}`;
}

function framesOf(cause: unknown): string[] {
  const stack = cause instanceof Error ? (cause.stack ?? "") : "";
  return stack.split("\n").flatMap((line) => {
    const [, file, row, column] = FRAME.exec(line.trim()) ?? [];
    if (file === undefined || !file.startsWith(join(ROOT, "dist/"))) return [];
    return [placeOf(file, Number(row), Number(column))];
  });
}

/** Returns a location in the sources in the form that editors accept: `test/a.test.ts:12`. */
function placeOf(file: string, row: number, column: number): string {
  const map = `${file}.map`;
  if (!existsSync(map)) return `${relative(ROOT, file)}:${row}`;
  const payload = JSON.parse(readFileSync(map, "utf8")) as SourceMapPayload;
  const entry = new SourceMap(payload).findEntry(row - 1, column - 1);
  return `${sourceOf(file)}:${"originalLine" in entry ? entry.originalLine + 1 : row}`;
}

function linesOf(text: string): string[] {
  return stripVTControlCharacters(text)
    .split("\n")
    .filter((line) => line.trim() !== "");
}

function shorten(line: string): string {
  return line.length > MAX_LINE_LENGTH ? `${line.slice(0, MAX_LINE_LENGTH - 1)}…` : line;
}
