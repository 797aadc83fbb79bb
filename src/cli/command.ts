/**
 * What a command of `simurgh` is.
 *
 * Runs on: main. Types only.
 */

/** One command, as in `simurgh serve`. */
export interface Command {
  readonly name: string;
  /** What follows the name in its usage, as in `<app module> [options]`. */
  readonly usage: string;
  /** What it does, in one line. */
  readonly about: string;
  /** Further lines of its help, before the options. */
  readonly details: readonly string[];
  /** Its flags that take no value. */
  readonly switches?: readonly string[];
  /** All of its help, where the options of a server are not its own. */
  readonly help?: string;
  /** Does it; resolves when it has begun. What it throws ends the process. */
  run(args: readonly string[]): Promise<void>;
}
