/**
 * The command line of `npm run load:calls`.
 *
 * Runs on: the process of `load:calls`, once.
 */

import { parseArgs } from "node:util";
import { ARRIVALS, RATES, SUBJECTS, type Load, type Subject } from "./loads.ts";

/** The options, checked and with all defaults filled in. */
export interface CallsOptions {
  readonly loads: readonly Load[];
  readonly subjects: readonly Subject[];
  readonly tickMs: number;
  readonly windowMs: number;
  readonly rounds: number;
  /**
   * Length of the measured window of each turn in seconds, after the window in which calls are
   * counted.
   */
  readonly seconds: number;
  /** Whether perf counts calls; otherwise only segments are counted. */
  readonly hasPerf: boolean;
  readonly help: boolean;
}

const RATE_NAMES = RATES.map(({ perSocket }) => String(perSocket));
const SERVER_NAMES: readonly string[] = [...new Set(SUBJECTS.map(({ server }) => server))];

/** The text of `--help`. */
export const HELP = `npm run load:calls -- [OPTIONS]
  Counts how many deliveries leave in one system call if many meet at a socket.
  --rates LIST      messages a second to each socket: ${RATE_NAMES.join(", ")} (all)
  --come LIST       ${ARRIVALS.join(", ")}: evenly spaced, or all of a tick at its beginning (both)
  --servers LIST    ${SERVER_NAMES.join(", ")} (all)
  --tick MS         length of a tick, 1 to 1000 (50)
  --window MS       Simurgh's coalescing window, 1 to 1000 (10)
  --rounds N        turns of each server under each load, 1 to 100 (1)
  --seconds N       measured seconds of each turn, 1 to 60 (2)
  --without-perf    count only TCP segments, which needs no permissions
  --help            show this
Exit code: 0 if everything was measured, 1 if a run failed, 2 for a bad option,
  3 if perf is missing or not allowed to count.
`;

/** Parses the command line. @throws TypeError with a one-line message for the user */
export function parseCallsOptions(words: readonly string[]): CallsOptions {
  const { values } = parseArgs({
    args: [...words],
    options: {
      rates: { type: "string", default: RATE_NAMES.join(",") },
      come: { type: "string", default: ARRIVALS.join(",") },
      servers: { type: "string", default: SERVER_NAMES.join(",") },
      tick: { type: "string", default: "50" },
      window: { type: "string", default: "10" },
      rounds: { type: "string", default: "1" },
      seconds: { type: "string", default: "2" },
      "without-perf": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const rates = readList("rates", values.rates, RATE_NAMES);
  const arrivals = readList("come", values.come, ARRIVALS);
  const servers = readList("servers", values.servers, SERVER_NAMES);
  return {
    loads: RATES.filter(({ perSocket }) => rates.includes(String(perSocket))).flatMap((rate) =>
      ARRIVALS.filter((arrival) => arrivals.includes(arrival)).map((arrival) => ({
        ...rate,
        arrival,
      })),
    ),
    subjects: SUBJECTS.filter(({ server }) => servers.includes(server)),
    tickMs: readCount("tick", values.tick, 1_000, "ms"),
    windowMs: readCount("window", values.window, 1_000, "ms"),
    rounds: readCount("rounds", values.rounds, 100, "turns"),
    seconds: readCount("seconds", values.seconds, 60, "s"),
    hasPerf: !values["without-perf"],
    help: values.help,
  };
}

function readList(option: string, text: string, known: readonly string[]): readonly string[] {
  const given = text.split(",");
  const unknown = given.find((name) => !known.includes(name));
  if (unknown === undefined) return given;
  throw new TypeError(`${option} must be one or more of ${known.join(", ")}, got ${unknown}`);
}

function readCount(option: string, text: string, max: number, unit: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= max) return count;
  throw new TypeError(`${option} must be an integer from 1 to ${max} (${unit}), got ${text}`);
}
