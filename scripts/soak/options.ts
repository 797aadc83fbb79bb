/**
 * The command line of `npm run soak`.
 *
 * Runs on: the soak's process, once.
 */

import { parseArgs } from "node:util";
import { readCount, readSeed } from "../suites/words.ts";

/** The options, checked and with all defaults filled in. */
export interface SoakOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly markSeconds: number;
  readonly shards: number;
  /** Multiplies the numbers of clients. */
  readonly scale: number;
  /** Shards that are restarted or ended, spread over the first half. */
  readonly restarts: number;
  readonly help: boolean;
}

/** The text of `--help`; fits a screen of 80 columns and 24 lines. */
export const HELP = `npm run soak -- [OPTIONS]
  Clients come, speak, listen, read slowly and go, while shards are restarted.
  Each listener checks that nothing is lost, doubled or out of order, unless it
  was notified. Memory and handles are shown at each mark, and must not grow.
  --minutes N       length of the run (60)
  --seconds N       the same in seconds, for a short run
  --mark N          seconds from mark to mark (300, or a sixth of the run)
  --restarts N      shards restarted or ended within the first half (12)
  --scale N         multiplies the number of clients (1)
  --seed N          repeats the choices of a run, but not its timing (random)
  --shards N        shards of the server (2)
  --help            show this
The second half has no restarts. Growth is judged in it, by the slope through
its marks, if there are at least 5 of them (from 50 minutes with default marks).
At the end all clients leave, and nothing of them may be left.
Options of the server come from the environment.
Exit code: 0 if nothing was found, 1 if something was, 2 for a bad option.
`;

/** Parses the command line. @throws TypeError with a one-line message for the user */
export function parseSoakOptions(words: readonly string[]): SoakOptions {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...words],
    options: {
      help: { type: "boolean", default: false },
      minutes: text,
      seconds: text,
      mark: text,
      restarts: text,
      scale: text,
      seed: text,
      shards: text,
    },
  });
  const minutes = readCount("minutes", values.minutes ?? "60", {
    min: 1,
    max: 10_080,
    unit: "minutes",
  });
  const seconds =
    values.seconds === undefined
      ? minutes * 60
      : readCount("seconds", values.seconds, { min: 5, max: 604_800, unit: "seconds" });
  const usual = String(Math.max(1, Math.min(300, Math.floor(seconds / 6))));
  return {
    seed: readSeed(values.seed),
    seconds,
    markSeconds: readCount("mark", values.mark ?? usual, { min: 1, max: 86_400, unit: "seconds" }),
    shards: readCount("shards", values.shards ?? "2", { min: 1, max: 64, unit: "shards" }),
    scale: readCount("scale", values.scale ?? "1", { min: 1, max: 100, unit: "times" }),
    restarts: readCount("restarts", values.restarts ?? "12", {
      min: 0,
      max: 1_000,
      unit: "restarts",
    }),
    help: values.help,
  };
}
