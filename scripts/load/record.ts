/**
 * The data of a run, as in `report.json`, from which the report is drawn.
 *
 * Runs on: the load test's process; types, and pure functions.
 */

import type { Live } from "./live.ts";
import type { Machine } from "./machine.ts";
import type { PercentilePoint } from "./percentiles.ts";
import type { GeneratorResult } from "./result.ts";
import type { Sample } from "./sampler.ts";
import type { Statement } from "./charts/page.ts";

/** One point of the charts: an interval of the run. */
export interface Interval extends Live {
  /** Time since the previous interval. */
  readonly lengthSeconds: number;
  /** Null if the process of the server is unknown. */
  readonly server: Sample | null;
}

/** The server under load. */
export interface ServerDescription {
  /** Whether this program has started the server. */
  readonly isOurs: boolean;
  readonly url: string;
  /** Number of shards of the server; null if unknown. */
  readonly shards: number | null;
  /** Variables of the server's environment whose names begin with SIMURGH_. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A run. */
export interface LoadRecord {
  /** Version of this format; incremented if the meaning of a field changes. */
  readonly version: 1;
  /** Start time in ISO 8601. */
  readonly startedAt: string;
  /** The command that repeats the run. */
  readonly command: string;
  readonly machine: Machine;
  readonly server: ServerDescription;
  /** Arguments of the generator. */
  readonly generator: readonly string[];
  readonly intervals: readonly Interval[];
  readonly result: GeneratorResult;
  /** The distribution of latencies; empty if the generator rejected them. */
  readonly percentiles: readonly PercentilePoint[];
  readonly verdict: readonly Statement[];
}

/** Returns the options in an environment, except secrets: `SIMURGH_SECRET_KEY_BASE` and broker URLs. */
export function optionsIn(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const shown = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      /^SIMURGH_(?!SECRET_|CLUSTER_URL|NO_INSTALL)/.test(entry[0]) && entry[1] !== undefined,
  );
  return Object.fromEntries(shown.toSorted(([left], [right]) => left.localeCompare(right)));
}

/** Returns the command that repeats a run. */
export function commandOf(
  script: string,
  environment: Readonly<Record<string, string>>,
  words: readonly string[],
): string {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${quoted(value)}`);
  const rest = words.length === 0 ? [] : ["--", ...words.map((word) => quoted(word))];
  return [...variables, "npm", "run", script, ...rest].join(" ");
}

/** Quotes a word for a shell. */
function quoted(word: string): string {
  return /^[\w./:,=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
