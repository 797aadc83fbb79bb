/**
 * The command line of `npm run chaos`.
 *
 * Runs on: the chaos suite's process, once.
 */

import { parseArgs } from "node:util";
import { readCount } from "../suites/words.ts";

/** The options, checked and with all defaults filled in. */
export interface ChaosOptions {
  readonly list: boolean;
  readonly quick: boolean;
  /** Names of faults, or their beginnings; empty for all. */
  readonly only: readonly string[];
  readonly maxP99Ms: number;
  readonly help: boolean;
}

/** The text of `--help`; fits a screen of 80 columns and 24 lines. */
export const HELP = `npm run chaos -- [OPTIONS]
  Causes one fault after the other in servers, and checks what follows.
  --list            shows the faults and what must follow
  --only NAME       only faults whose names begin so; may be given several times
  --quick           only faults that take a few seconds
  --max-p99 MS      largest p99 of clients that must not notice (100)
  --help            show this
Faults of the broker need redis-server; on Debian, apt-get install redis-tools.
Faults that cannot be tried here are skipped, with the reason.
Exit code: 0 if every fault had the expected outcome, 1 if not, 2 for a bad
option.
`;

/** Parses the command line. @throws TypeError with a one-line message for the user */
export function parseChaosOptions(words: readonly string[]): ChaosOptions {
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...words],
    options: {
      list: flag,
      quick: flag,
      help: flag,
      only: { type: "string", multiple: true, default: [] },
      "max-p99": { type: "string", default: "100" },
    },
  });
  return {
    list: values.list,
    quick: values.quick,
    help: values.help,
    only: values.only,
    maxP99Ms: readCount("max-p99", values["max-p99"], { min: 1, max: 60_000, unit: "ms" }),
  };
}
