/**
 * What `--help` prints. The main help fits a screen of 24 lines with 80 columns.
 *
 * Runs on: main.
 */

import { OPTIONS, type OptionName } from "../options/options.ts";
import type { Command } from "./command.ts";
import { FLAGS, type Flag } from "./flags.ts";

const FLAG_COLUMNS = 34;
const DEFAULT_COLUMNS = 10;
/** What the value of a text is called. */
const UNITS: Readonly<Partial<Record<OptionName, string>>> = {
  host: "address",
  nodeName: "name",
  clusterName: "name",
};

/** Gives the help of `simurgh` itself. */
export function mainHelp(version: string, commands: readonly Command[]): string {
  const calls = commands.map((command) => `simurgh ${command.name} ${command.usage}`);
  const columns = Math.max(...calls.map((call) => call.length)) + 2;
  const lines = commands.map(
    (command, at) => `  ${(calls[at] as string).padEnd(columns)}${command.about}`,
  );
  return `simurgh ${version}: Phoenix Channels for Node

Usage
${lines.join("\n")}

Options
  -h, --help       this text; after a command, its own help and options
  -v, --version    the version

Options of a server have a variable each too: --port is SIMURGH_PORT.

Exit codes
  0  done, or stopped by SIGINT (Ctrl+C) or SIGTERM: every client was told
  1  could not start; token: it does not hold, or the data has no form in one
  2  a wrong command, option or variable
`;
}

/** Gives the help of one command. */
export function commandHelp({ name, usage, about, details, help }: Command): string {
  if (help !== undefined) return help;
  const paragraph = details.length > 0 ? `${details.join("\n")}\n\n` : "";
  return `simurgh ${name} ${usage}: ${about}

${paragraph}${row("Options", "Default", "Variable")}
${FLAGS.map(flagRow).join("\n")}
`;
}

function flagRow({ flag, option, variable }: Flag): string {
  const row0 = OPTIONS[option];
  const unit = "unit" in row0 ? row0.unit : "choices" in row0 ? "level" : UNITS[option];
  return `  ${row(`${flag} <${unit}>`, String(row0.default), variable)}`;
}

function row(flag: string, value: string, variable: string): string {
  const indent = flag.startsWith("--") ? 0 : 2;
  return `${flag.padEnd(FLAG_COLUMNS + indent)} ${value.padEnd(DEFAULT_COLUMNS)} ${variable}`;
}
