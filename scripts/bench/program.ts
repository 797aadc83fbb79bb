/**
 * The frame of every measuring command: parses its arguments, reports errors in them, says about how long
 * the command takes, runs it, and sets the exit code.
 *
 * A command that fails or is interrupted calls `process.exit`, because servers and generators are
 * killed on the `exit` event; otherwise the process would wait for them forever.
 *
 * Runs on: a command's process.
 */

import { describeTime } from "./time-left.ts";

/** Exit code of a run that failed or found a problem. */
export const FAILED = 1;
/** Exit code for a bad option. */
export const BAD_OPTION = 2;

/** A command. */
export interface Program<Options> {
  /** Name of the command's script, with which its error messages begin. */
  readonly name: string;
  readonly help: string;
  /** @throws TypeError with a one-line message for the user */
  readonly parse: (words: readonly string[]) => Options;
  readonly wantsHelp: (options: Options) => boolean;
  /**
   * Estimates the time of a run on a machine that does nothing else (s); undefined if it is not known. Shown at the
   * start of a run.
   */
  readonly secondsOf?: (options: Options) => number | undefined;
  /** @returns the exit code */
  readonly run: (options: Options, words: readonly string[]) => Promise<number>;
}

/** Writes a line for people to standard error. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Returns the message of an error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Runs a command with the arguments of this process. */
export async function runProgram<Options>(program: Program<Options>): Promise<void> {
  const { name, help, parse, wantsHelp, secondsOf, run } = program;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => process.exit(FAILED));
  const words = process.argv.slice(2);
  let options: Options;
  try {
    options = parse(words);
  } catch (error) {
    tell(`${name}: ${messageOf(error)}`);
    process.exitCode = BAD_OPTION;
    return;
  }
  if (wantsHelp(options)) {
    process.stdout.write(help);
    return;
  }
  const seconds = secondsOf?.(options);
  if (seconds !== undefined) {
    tell(`${name}: takes about ${describeTime(seconds * 1_000)}, longer on a busy machine`);
  }
  try {
    process.exitCode = await run(options, words);
  } catch (error) {
    tell(`${name}: ${messageOf(error)}`);
    process.exit(FAILED);
  }
}
