/**
 * The command line of `npm run fuzz`.
 *
 * Runs on: the fuzzer's process, once.
 */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { readCount, readSeed } from "../suites/words.ts";

/** The options, checked and with all defaults filled in. */
export interface FuzzOptions {
  readonly seed: number;
  /** Frames to send at least. */
  readonly frames: number;
  /** HTTP requests to send at least. */
  readonly requests: number;
  readonly shards: number;
  /** Connections at the same time, of each kind. */
  readonly connections: number;
  /** Number of the first life. */
  readonly from: number;
  /** Lives of each kind, or undefined for as many as the frames and requests need. */
  readonly lives: number | undefined;
  readonly maxP99Ms: number;
  /** An app module with the mounts and routes of `app.ts`. */
  readonly app: URL;
  readonly help: boolean;
}

/** The text of `--help`; fits a screen of 80 columns and 24 lines. */
export const HELP = `npm run fuzz -- [OPTIONS]
  Sends broken traffic to a server and checks that nobody else notices. A life
  is one connection. A fault names seed and life; the last line repeats it.
  --long            10 million frames and 1 million HTTP requests
  --frames N        WebSocket frames to send (200k); 0 for none
  --requests N      HTTP requests to send (20k); 0 for none
  --seed N          repeats a run: the same lives, with the same contents
  --from N          number of the first life (0)
  --lives N         lives of each kind, instead of --frames and --requests
  --connections N   lives at the same time, of each kind (16)
  --shards N        shards of the server (2)
  --max-p99 MS      largest p99 of the canaries (100)
  --app FILE        another app, with the mounts and routes of fuzz/app.ts
  --help            show this
Numbers may end with k or m. Exit code: 0 if nothing was found, 1 if something
was, 2 for a bad option. Options of the server come from the environment.
  npm run fuzz -- --seed 4711 --from 1234 --lives 1 --requests 0
`;

const LONG = { frames: "10m", requests: "1m" };
const SHORT = { frames: "200k", requests: "20k" };
const MAX_COUNT = 1e10;

/** Parses the command line. @throws TypeError with a one-line message for the user */
export function parseFuzzOptions(words: readonly string[]): FuzzOptions {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...words],
    options: {
      long: flag,
      help: flag,
      seed: text,
      frames: text,
      requests: text,
      from: text,
      lives: text,
      connections: text,
      shards: text,
      "max-p99": text,
      app: text,
    },
  });
  const defaults = values.long ? LONG : SHORT;
  return {
    seed: readSeed(values.seed),
    frames: readCount("frames", values.frames ?? defaults.frames, {
      min: 0,
      max: MAX_COUNT,
      unit: "frames",
    }),
    requests: readCount("requests", values.requests ?? defaults.requests, {
      min: 0,
      max: MAX_COUNT,
      unit: "requests",
    }),
    from: readCount("from", values.from ?? "0", { min: 0, max: MAX_COUNT, unit: "life" }),
    lives:
      values.lives === undefined
        ? undefined
        : readCount("lives", values.lives, { min: 1, max: MAX_COUNT, unit: "lives" }),
    connections: readCount("connections", values.connections ?? "16", {
      min: 1,
      max: 1_000,
      unit: "connections",
    }),
    shards: readCount("shards", values.shards ?? "2", { min: 1, max: 64, unit: "shards" }),
    maxP99Ms: readCount("max-p99", values["max-p99"] ?? "100", { min: 1, max: 60_000, unit: "ms" }),
    app:
      values.app === undefined
        ? new URL("./app.js", import.meta.url)
        : pathToFileURL(resolve(values.app)),
    help: values.help,
  };
}
