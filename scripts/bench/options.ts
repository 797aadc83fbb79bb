/**
 * The command line of `npm run bench` and `npm run load:peers`, which differ only in their defaults.
 *
 * Runs on: the bench's process, once.
 */

import { parseArgs } from "node:util";
import { findListener } from "../load/peers/listener.ts";
import { SERVER_NAMES, type Elsewhere, type ServerName } from "./servers.ts";
import { WORKS, type WorkName } from "./works.ts";

/** The options, checked and with all defaults filled in. */
export interface BenchOptions {
  readonly works: readonly WorkName[];
  readonly servers: readonly ServerName[];
  /** A Phoenix server that is already running, if any. */
  readonly phoenix: Elsewhere | undefined;
  /** Number of rounds of each workload; every server has one turn per round. */
  readonly pairs: number;
  /** Length of the measured window of each turn, in seconds. */
  readonly seconds: number;
  readonly json: boolean;
  /** Whether the figures are saved for the documents. */
  readonly save: boolean;
  readonly help: boolean;
}

const WORK_NAMES = Object.keys(WORKS) as readonly WorkName[];

/** A benchmark command: the name of its script, and its defaults. */
export interface BenchCommand {
  readonly name: string;
  readonly works: readonly WorkName[];
  readonly servers: readonly ServerName[];
}

/** `npm run bench`: all workloads, on servers that need no other package. */
export const BENCH: BenchCommand = {
  name: "bench",
  works: WORK_NAMES,
  servers: ["bare", "simurgh", "serial", "ws"],
};

/** `npm run load:peers`: workloads that all servers support, on Simurgh and its alternatives. */
export const LOAD_PEERS: BenchCommand = {
  name: "load:peers",
  works: ["echo", "fanout", "memory"],
  servers: ["bare", "simurgh", "portable", "attached", "ws", "socket.io", "socket.io-uws", "bun"],
};

/** Breaks a text where it would be wider than a screen, with the indentation of the help. */
function wrapped(text: string): string {
  return text.replaceAll(/(.{1,56})(?: |$)/g, "$1\n                    ").trimEnd();
}

/** Returns the text of `--help`. */
export function makeHelp({ name, works, servers }: BenchCommand): string {
  return `npm run ${name} -- [OPTIONS]
  Runs servers in turn under the same load, and shows ratios to the bare engine.
  --only NAMES      loads, separated by commas:
                    ${WORK_NAMES.join(", ")}
                    (${works.length === WORK_NAMES.length ? "all" : works.join(",")})
  --servers NAMES   servers, separated by commas:
                    ${wrapped(SERVER_NAMES.join(", "))}
                    ${wrapped(`(${servers.join(", ")}; phoenix if --phoenix is given)`)}
  --phoenix URL     a Phoenix server already running on this machine, with channels bench:*,
                    such as ws://127.0.0.1:4000/socket/websocket
  --phoenix-pid PID its process (default: the one that listens on that port)
  --pairs N         rounds of each load, 1 to 100 (3)
  --seconds N       measured seconds of each turn, 1 to 60 (3)
  --json            one line of JSON on stdout, the table on stderr
  --save            keep the figures in scripts/bench/figures.json, for npm run docs
  --help            show this
Exit code: 0 if everything was measured, 1 if a run failed, 2 for a bad option.
`;
}

/** Parses the command line. @throws TypeError with a one-line message for the user */
export function parseBenchOptions(
  words: readonly string[],
  command: BenchCommand = BENCH,
): BenchOptions {
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: { type: "string", default: command.works.join(",") },
      servers: { type: "string" },
      phoenix: { type: "string" },
      "phoenix-pid": { type: "string" },
      pairs: { type: "string", default: "3" },
      seconds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
      save: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const phoenix = values.help ? undefined : readPhoenix(values.phoenix, values["phoenix-pid"]);
  const ours = phoenix === undefined ? command.servers : [...command.servers, "phoenix"];
  const servers = readNames("servers", values.servers ?? ours.join(","), SERVER_NAMES);
  if (servers.includes("phoenix") && phoenix === undefined) {
    throw new TypeError("phoenix needs --phoenix URL, got none");
  }
  return {
    works: readNames("only", values.only, WORK_NAMES),
    servers,
    phoenix,
    pairs: readCount("pairs", values.pairs, 100),
    seconds: readCount("seconds", values.seconds, 60),
    json: values.json,
    save: values.save,
    help: values.help,
  };
}

/** @returns undefined if no URL is given */
function readPhoenix(url: string | undefined, pidText: string | undefined): Elsewhere | undefined {
  if (url === undefined) return undefined;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== "ws:") {
    throw new TypeError(`phoenix must be a URL that begins with ws://, got ${url}`);
  }
  const port = Number(parsed.port === "" ? "80" : parsed.port);
  const pid =
    pidText === undefined ? findListener(port) : readCount("phoenix-pid", pidText, 2 ** 22);
  if (pid !== undefined) return { url, pid };
  throw new TypeError(
    `phoenix must be a process of this user that listens on its port, got none on port ${port}; ` +
      `if it runs as another user, pass its process as --phoenix-pid`,
  );
}

function readNames<Name extends string>(
  option: string,
  text: string,
  known: readonly Name[],
): readonly Name[] {
  const given = text.split(",");
  const unknown = given.find((name) => !known.some((candidate) => candidate === name));
  if (unknown !== undefined) {
    throw new TypeError(`${option} must be one or more of ${known.join(", ")}, got ${unknown}`);
  }
  return known.filter((name) => given.includes(name));
}

function readCount(option: string, text: string, max: number): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > max) {
    throw new TypeError(`${option} must be an integer from 1 to ${max}, got ${text}`);
  }
  return count;
}
