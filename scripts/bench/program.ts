/**
 * What every command of the measurements does: reads its words, says what is wrong with them, runs, and
 * sets the exit code.
 *
 * An interrupted one takes its servers and generators with it, and so does one that fails: `exit` is
 * where they are killed, and it would else wait for them for ever.
 *
 * Runs on: a command's process.
 */

/** Exit code of a run that failed, or found something bad. */
export const FAILED = 1;
/** Exit code of an option that cannot be used. */
export const BAD_OPTION = 2;

/** A command. */
export interface Program<Options> {
  /** Name of its script, which its complaints begin with. */
  readonly name: string;
  readonly help: string;
  /** @throws TypeError whose message is one line for the user */
  readonly parse: (words: readonly string[]) => Options;
  readonly wantsHelp: (options: Options) => boolean;
  /** @returns the exit code */
  readonly run: (options: Options, words: readonly string[]) => Promise<number>;
}

/** Writes a line for people, who read standard error. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Runs a command with the words of this process. */
export async function runProgram<Options>(program: Program<Options>): Promise<void> {
  const { name, help, parse, wantsHelp, run } = program;
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
  try {
    process.exitCode = await run(options, words);
  } catch (error) {
    tell(`${name}: ${messageOf(error)}`);
    process.exit(FAILED);
  }
}
