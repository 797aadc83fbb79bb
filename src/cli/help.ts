/**
 * The texts of `--help` and `--help-all`. The main help fits on a screen of 24 lines and 80 columns, that of a command
 * on one of 40 lines and 100 columns: it has the options that most servers set, and `--help-all` has all of them.
 *
 * Runs on: main.
 */

import { OPTIONS, type OptionName } from "../options/options.ts";
import { SECRET_COMMAND } from "../options/values.ts";
import { EXIT } from "../server/process-end.ts";
import type { Command, UsualOptions } from "./command.ts";
import { FLAGS, type Flag } from "./flags.ts";

const GAP = "  ";
/** Names for values of options that have no unit, or a long one. */
const UNITS: Readonly<Partial<Record<OptionName, string>>> = {
  engine: "name",
  host: "address",
  historyFile: "path",
  tlsCert: "path",
  tlsKey: "path",
  nodeName: "name",
  clusterName: "name",
  maxConnections: "count",
  maxConnectionsPerAddress: "count",
};

/** The options that most servers set, in a few words each. */
const USUAL: UsualOptions = {
  host: "address to listen on",
  port: "port to listen on; 0: any free one",
  shards: "worker threads that serve; auto: one per CPU",
  maxConnections: "limit of the node; auto: from that of open files",
  maxConnectionsPerAddress: "limit of one client address; 0: none",
  maxFrameBytes: "largest message of a client",
  idleTimeoutMs: "silence after which a client is closed",
  handlerTimeoutMs: "time limit of asynchronous callbacks",
  coalesceMs: "time to collect broadcasts: less CPU, more delay",
  historyBytes: "memory for the histories of all topics",
  historyFile: "keeps the histories across orderly restarts",
  drainLimitMs: "time limit for closing all clients at a stop",
  drainDelayMs: "time before a stop in which it is not ready",
  nodeName: "unique name in the cluster; auto: random",
  logLevel: "debug, info, warn, error or silent",
};

const SECRETS: readonly (readonly string[])[] = [
  [OPTIONS.secretKeyBase.env, "signs tokens; the same on all nodes; random if not set"],
  ["", `to make one: ${SECRET_COMMAND}`],
  [OPTIONS.clusterUrl.env, "links nodes, such as redis://user:password@host:6379"],
];

const EXITS: readonly (readonly string[])[] = [
  ["0", "stopped by a signal"],
  ["1", "failed to start"],
  ["2", "invalid command, option or variable"],
  [String(EXIT.serverFailed), "no shard serves any more"],
  [
    String(EXIT.shardNotEnded),
    "stopped by a signal, but a shard runs code that cannot be interrupted *",
  ],
  [String(EXIT.shardDied), "a shard ran out of memory *"],
  ["", "* SIGKILL (137) before Node.js 22.15 and on Windows"],
];

/** Returns the help of `simurgh` itself. */
export function mainHelp(version: string, commands: readonly Command[]): string {
  const calls = commands.map(({ name, usage, about }) => [`simurgh ${name} ${usage}`, about]);
  return `simurgh ${version}: Phoenix Channels for Node

Usage
${inColumns(calls)}

Options
  -h, --help       shows this help; after a command, the help of that command
  -v, --version    shows the version

Every server option is also an environment variable: --port is SIMURGH_PORT.

Exit codes
  0  success, or stopped in order by SIGINT (Ctrl+C) or SIGTERM
  1  failed to start; token: invalid token, or data that a token cannot hold
  2  invalid command, option or variable
  ${EXIT.serverFailed} and higher: see simurgh serve --help
`;
}

/** Returns the help of a command, with the usual options. */
export function commandHelp(command: Command): string {
  if (command.help !== undefined) return command.help;
  const { switches = {}, examines } = command;
  const usual = examines?.usual ?? USUAL;
  const rows = [
    ["Options", "Default"],
    ...Object.entries(switches).map(([name, about]) => [`--${name}`, "off", about]),
    ...FLAGS.flatMap((flag) => {
      const about = usual[flag.option];
      return about === undefined ? [] : [[formOf(flag), defaultOf(flag, command), about]];
    }),
    ["--help-all", "", `lists all ${FLAGS.length} options`],
  ];
  return `${headOf(command)}${inColumns(rows)}

Every option is also a variable (--port is ${OPTIONS.port.env}), which the flag overrides.
${examines ? "" : `Secrets are variables only:\n${inColumns(SECRETS)}\n`}
Exit codes
${inColumns(examines?.exits ?? EXITS)}
`;
}

/** Returns the help of a command, with all options. */
export function wholeHelp(command: Command): string {
  if (command.help !== undefined) return command.help;
  const { switches = {} } = command;
  const rows = [
    ["Options", "Default", "Variable"],
    ...Object.keys(switches).map((name) => [`--${name}`, "off"]),
    ...FLAGS.map((flag) => [formOf(flag), defaultOf(flag, command), flag.variable]),
    ["secrets, without a flag", OPTIONS.secretKeyBase.default, OPTIONS.secretKeyBase.env],
    ["", OPTIONS.clusterUrl.default, OPTIONS.clusterUrl.env],
  ];
  return `${headOf(command)}${inColumns(rows)}
`;
}

function headOf({ name, usage, about, details }: Command): string {
  return `simurgh ${name} ${usage}: ${about}\n\n${details.join("\n")}\n\n`;
}

/** Returns a flag and what its value is, such as `--port <port>`. */
function formOf({ flag, option }: Flag): string {
  const row = OPTIONS[option];
  return `${flag} <${UNITS[option] ?? ("unit" in row ? row.unit : "level")}>`;
}

function defaultOf({ option }: Flag, { defaults = {} }: Command): string {
  return defaults[option] ?? String(OPTIONS[option].default);
}

/** Aligns the cells of rows. A heading, which starts with a capital, is not indented. */
function inColumns(rows: readonly (readonly string[])[]): string {
  const cells = rows.map(([first = "", ...others]) => [
    /^[A-Z][a-z]/.test(first) ? first : GAP + first,
    ...others,
  ]);
  const widths = [0, 1].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join(GAP)
        .trimEnd(),
    )
    .join("\n");
}
