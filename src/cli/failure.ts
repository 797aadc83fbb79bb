/**
 * What is printed, and with which code the process ends, when a command fails.
 *
 * Runs on: main.
 */

import { ERRORS, hasCode } from "../errors.ts";

/** Exit code of a command that could not start. */
export const EXIT_FAILED = 1;
/** Exit code of a command that was called wrongly. */
const EXIT_USAGE = 2;

/** Deepest chain of causes that is printed. */
const MOST_CAUSES = 4;

/** A failure as a terminal sees it. */
export interface Failure {
  readonly text: string;
  readonly exitCode: number;
}

/** Gives the lines for people: one for the error, one for each cause. */
export function failureOf(error: unknown): Failure {
  if (hasCode(error, "SIM_ERR_OPTION_INVALID")) {
    return { text: `simurgh: ${messageOf(error)}`, exitCode: EXIT_USAGE };
  }
  const lines = [`simurgh: ${messageOf(error)}${placeOf(error)}`];
  let shown = messageOf(error);
  let cause = causeOf(error);
  for (let depth = 0; depth < MOST_CAUSES && cause !== undefined; depth += 1) {
    // Some messages end with what their cause says.
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

/** Says where an error of the user's own code was made; ours say enough by themselves. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error) || ("code" in error && String(error.code) in ERRORS)) return "";
  const frame = error.stack?.split("\n").find((line) => line.startsWith("    at "));
  return frame === undefined ? "" : ` (${frame.trim()})`;
}
