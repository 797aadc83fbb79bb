/**
 * The type of a `simurgh` command.
 *
 * Runs on: main. Types only.
 */

/** A command, such as `simurgh serve`. */
export interface Command {
  readonly name: string;
  /** Arguments in the usage line, such as `<app module> [options]`. */
  readonly usage: string;
  /** One-line description. */
  readonly about: string;
  /** Additional lines of help, printed before the options. */
  readonly details: readonly string[];
  /** Flags that have no value, by name, with what they do. */
  readonly switches?: Readonly<Record<string, string>>;
  /** The complete help text of a command that has no server options. */
  readonly help?: string;
  /** Runs the command. Resolves when it has started. If it throws, the process ends. */
  run(args: readonly string[]): Promise<void>;
}
