/**
 * The text of `--help`. The main help fits on a screen of 24 lines and 80 columns.
 *
 * Runs on: main.
 */

import { OPTIONS, type OptionName } from "../options/options.ts";
import type { Command } from "./command.ts";
import { FLAGS, type Flag } from "./flags.ts";

const COLUMNS = 80;
const FLAG_COLUMNS = 34;
const DEFAULT_COLUMNS = 10;
/** Placeholders for values, if the option has no unit or there is no room for it. */
const UNITS: Readonly<Partial<Record<OptionName, string>>> = {
  host: "address",
  historyFile: "path",
  nodeName: "name",
  clusterName: "name",
  maxConnectionsPerAddress: "count",
};

/** Returns the help of `simurgh` itself. */
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
  -h, --help       shows this help; after a command, the help of that command
  -v, --version    shows the version

Every server option is also an environment variable: --port is SIMURGH_PORT.

Exit codes
  0  success, or stopped in order by SIGINT (Ctrl+C) or SIGTERM
  1  failed to start; token: invalid token, or data that a token cannot hold
  2  invalid command, option or variable
`;
}

/** Returns the help of a command. */
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
  const unit = UNITS[option] ?? ("unit" in row0 ? row0.unit : "level");
  return `  ${row(`${flag} <${unit}>`, String(row0.default), variable)}`;
}

function row(flag: string, value: string, variable: string): string {
  const indent = flag.startsWith("--") ? 0 : 2;
  const start = flag.padEnd(FLAG_COLUMNS + indent);
  // A long flag takes room from the default, and a long variable too.
  const excess = start.length - FLAG_COLUMNS - indent;
  const room = COLUMNS - start.length - variable.length - 4;
  return `${start} ${value.padEnd(Math.min(DEFAULT_COLUMNS - excess, room))} ${variable}`;
}
