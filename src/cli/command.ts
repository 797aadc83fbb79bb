/**
 * The type of a `simurgh` command.
 *
 * Runs on: main. Types only.
 */

import type { OptionName } from "../options/options.ts";

/** Some options, with a few words about each. */
export type UsualOptions = Readonly<Partial<Record<OptionName, string>>>;

/** A command, such as `simurgh serve`. */
export interface Command {
  readonly name: string;
  /** Arguments in the usage line, such as `<app module> [options]`. */
  readonly usage: string;
  /** One-line description. */
  readonly about: string;
  /** Additional lines of help, printed before the options. */
  readonly details: readonly string[];
  /** Defaults of this command that differ from those of the server. */
  readonly defaults?: Readonly<Partial<Record<OptionName, string>>>;
  /** Flags that have no value, by name, with what they do. */
  readonly switches?: Readonly<Record<string, string>>;
  /** The help of a command that takes server options but serves nothing. By default, it is that of a server. */
  readonly examines?: {
    /** The options that matter most, in a few words each. */
    readonly usual: UsualOptions;
    /** Each exit code, and when it is used. */
    readonly exits: readonly (readonly [code: string, when: string])[];
  };
  /** The complete help text of a command that has no server options. */
  readonly help?: string;
  /** Runs the command. Resolves when it has started. If it throws, the process ends. */
  run(args: readonly string[]): Promise<void>;
}
