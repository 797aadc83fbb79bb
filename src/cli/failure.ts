/**
 * The output and exit code of a command that fails.
 *
 * Runs on: main.
 */

import { messageOfReport, reportOf, type ErrorReport } from "../error-report.ts";
import { ERRORS } from "../errors.ts";

/** Exit code of a command that could not start. */
export const EXIT_FAILED = 1;
/** Exit code of a command with invalid arguments. */
const EXIT_USAGE = 2;

/** Maximum number of causes to print. */
const MAX_CAUSES = 4;

/** A failure, as shown in a terminal. */
export interface Failure {
  readonly text: string;
  readonly exitCode: number;
}

/**
 * Formats whatever was thrown: one line for the error, and one line for each cause and each error in
 * an AggregateError.
 */
export function failureOf(error: unknown): Failure {
  const report = reportOf(error);
  if (report.code === "SIM_ERR_OPTION_INVALID") {
    return { text: `simurgh: ${lineOf(report)}`, exitCode: EXIT_USAGE };
  }
  const lines = [`simurgh: ${lineOf(report)}${placeOf(report)}`];
  let shown = lineOf(report);
  let { cause } = report;
  for (let depth = 0; depth < MAX_CAUSES && cause !== undefined; depth += 1) {
    // Some messages already contain the message of their cause.
    if (!shown.includes(lineOf(cause))) lines.push(`  cause: ${lineOf(cause)}`);
    shown += lineOf(cause);
    ({ cause } = cause);
  }
  for (const one of (report.errors ?? []).slice(0, MAX_CAUSES)) {
    if (!shown.includes(lineOf(one))) lines.push(`  error: ${lineOf(one)}`);
  }
  return { text: lines.join("\n"), exitCode: EXIT_FAILED };
}

function lineOf(report: ErrorReport): string {
  return messageOfReport(report).replaceAll(/\s*\n\s*/g, " ");
}

/**
 * Returns the location of an error in the user's code. This package's own errors do not need one.
 */
function placeOf({ code, stack }: ErrorReport): string {
  if (code !== undefined && Object.hasOwn(ERRORS, code)) return "";
  const frame = stack?.split("\n").find((line) => line.startsWith("    at "));
  return frame === undefined ? "" : ` (${frame.trim()})`;
}
