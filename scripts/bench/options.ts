/**
 * The command line of `npm run bench`.
 *
 * Runs on: the bench's process, once.
 */

import { parseArgs } from "node:util";
import { SERVER_NAMES, type ServerName } from "./servers.ts";
import { WORKS, type WorkName } from "./works.ts";

/** Options with every default filled in and every value checked. */
export interface BenchOptions {
  readonly works: readonly WorkName[];
  readonly servers: readonly ServerName[];
  /** Rounds of each work; in each, every server has one turn. */
  readonly pairs: number;
  /** Measured seconds of each turn. */
  readonly seconds: number;
  readonly json: boolean;
  readonly help: boolean;
}

const WORK_NAMES = Object.keys(WORKS) as readonly WorkName[];

/** The text of `--help`. */
export const HELP = `npm run bench -- [OPTIONS]
  --only NAMES      works, with commas between: ${WORK_NAMES.join(", ")} (all)
  --servers NAMES   servers, in turns: ${SERVER_NAMES.join(", ")} (all)
  --pairs N         rounds of each work, 1 to 100 (3)
  --seconds N       measured seconds of each turn, 1 to 60 (3)
  --json            one line of JSON on stdout, the table on stderr
  --help            show this
`;

/** Reads the command line. @throws TypeError whose message is one line for the user */
export function parseBenchOptions(words: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: { type: "string", default: WORK_NAMES.join(",") },
      servers: { type: "string", default: SERVER_NAMES.join(",") },
      pairs: { type: "string", default: "3" },
      seconds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  return {
    works: readNames("only", values.only, WORK_NAMES),
    servers: readNames("servers", values.servers, SERVER_NAMES),
    pairs: readCount("pairs", values.pairs, 100),
    seconds: readCount("seconds", values.seconds, 60),
    json: values.json,
    help: values.help,
  };
}

function readNames<Name extends string>(
  option: string,
  text: string,
  known: readonly Name[],
): readonly Name[] {
  const given = text.split(",");
  const unknown = given.find((name) => !known.some((candidate) => candidate === name));
  if (unknown !== undefined) {
    throw new TypeError(`${option} must be of ${known.join(", ")}, got ${unknown}`);
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
