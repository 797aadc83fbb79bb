/**
 * `simurgh doctor`: prints what a server would run on here, and what would make it faster.
 *
 * Runs on: main.
 */

import { resolve as absolute } from "node:path";
import { pathToFileURL } from "node:url";

import { invalidOption } from "../definition-checks.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { examine, type Examination } from "../server/examination.ts";
import type { Command } from "./command.ts";
import { optionsOf, parseArguments } from "./flags.ts";
import { packageVersion } from "./version.ts";

/** Below this limit, a server has room for few connections. */
const LOW_DESCRIPTORS = 16_384;
const NAME_WIDTH = 13;

/** The command `doctor`. */
export const doctorCommand: Command = {
  name: "doctor",
  usage: "[app module] [options]",
  about: "shows which engine would run here",
  details: [
    "Prints the version of Node.js, the C library, the engine, the shards and the room for connections",
    "that a server with these options would have. It starts no server, and does not load the app module:",
    "its path is only used to look for an engine that the app has installed itself.",
  ],
  examines: {
    usual: {
      engine: "auto, native, portable, or the name or path of a package",
      shards: "worker threads that serve; auto: one per CPU",
      maxConnections: "limit of the node; auto: from that of open files",
    },
    exits: [
      ["0", "the engine can be loaded"],
      ["1", "it cannot be loaded"],
      ["2", "invalid command, option or variable"],
    ],
  },

  async run(args) {
    const given = parseArguments("doctor", args);
    const [file, ...rest] = given.positionals;
    if (rest.length > 0) {
      throw invalidOption(
        `doctor must be given at most one app module, got ${given.positionals.join(" ")}`,
      );
    }
    const app = file === undefined ? "" : urlOf(file);
    const options = optionsOf(given, process.env);
    const resolve = (shards?: number): ResolvedOptions =>
      shards === undefined ? options : { ...options, shards };
    const lines = linesOf(await examine(app, resolve));
    process.stdout.write(`simurgh ${packageVersion()}\n${lines.join("\n")}\n`);
  },
};

/** Returns the lines that describe a machine. */
export function linesOf(found: Examination): string[] {
  return [
    line("Node.js", `${found.nodeVersion}, ${found.system}${libraryOf(found)}`),
    ...engineLines(found),
    ...shardLines(found),
    ...connectionLines(found),
  ];
}

function engineLines({ engine }: Examination): string[] {
  const { kind, name, version, passedOver } = engine;
  return [
    line("engine", `${name} ${version} (${kind})`),
    ...passedOver.flatMap((other) => [
      line("", `not ${other.engine}, which ${other.reason}`),
      line("", `what to do: ${other.advice}`),
    ]),
  ];
}

function shardLines({ shards, wantedShards }: Examination): string[] {
  if (wantedShards === shards) return [line("shards", String(shards))];
  return [
    line("shards", `${shards} of ${wantedShards}`),
    line(
      "",
      "with the portable engine, shards share a port only on Linux with Node.js 22.12 or later",
    ),
  ];
}

function connectionLines({ maxConnections, descriptorLimit }: Examination): string[] {
  const first = line("connections", `at most ${maxConnections}; ${descriptorLimit} open files`);
  if (descriptorLimit >= LOW_DESCRIPTORS) return [first];
  return [first, line("", "for more, raise the limit of open files: ulimit -n 65536")];
}

function libraryOf({ system, glibc }: Examination): string {
  if (!system.startsWith("linux")) return "";
  return glibc === undefined ? ", no glibc (musl?)" : `, glibc ${glibc}`;
}

function line(name: string, text: string): string {
  return `${name.padEnd(NAME_WIDTH)}${text}`;
}

function urlOf(file: string): string {
  return file.startsWith("file:") ? file : pathToFileURL(absolute(file)).href;
}
