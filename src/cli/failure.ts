/**
 * The output and exit code of a command that fails.
 *
 * Runs on: main.
 */

import { ERRORS, hasCode } from "../errors.ts";

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

/** Formats an error: one line for the error, and one line for each cause. */
export function failureOf(error: unknown): Failure {
  if (hasCode(error, "SIM_ERR_OPTION_INVALID")) {
    return { text: `simurgh: ${messageOf(error)}`, exitCode: EXIT_USAGE };
  }
  const lines = [`simurgh: ${messageOf(error)}${placeOf(error)}`];
  let shown = messageOf(error);
  let cause = causeOf(error);
  for (let depth = 0; depth < MAX_CAUSES && cause !== undefined; depth += 1) {
    // Some messages already contain the message of their cause.
    if (!shown.includes(messageOf(cause))) lines.push(`  cause: ${messageOf(cause)}`);
    shown += messageOf(cause);
    cause = causeOf(cause);
  }
  return { text: lines.join("\n"), exitCode: EXIT_FAILED };
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replaceAll(/\s*\n\s*/g, " ");
}

/**
 * Returns the location of an error in the user's code. This package's own errors do not need one.
 */
function placeOf(error: unknown): string {
  if (!(error instanceof Error) || ("code" in error && String(error.code) in ERRORS)) return "";
  const frame = error.stack?.split("\n").find((line) => line.startsWith("    at "));
  return frame === undefined ? "" : ` (${frame.trim()})`;
}
