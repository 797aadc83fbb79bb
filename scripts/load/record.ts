/**
 * A run as `report.json` has it: all that the report is drawn from.
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
  /** Since the interval before. */
  readonly lengthSeconds: number;
  /** Null: no process of the server is known. */
  readonly server: Sample | null;
}

/** The server that was loaded. */
export interface ServerDescription {
  /** True: this program has started it. */
  readonly isOurs: boolean;
  readonly url: string;
  /** Its number of shards; null: not known. */
  readonly shards: number | null;
  /** What of its environment concerns it: variables whose names begin with SIMURGH_. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A run. */
export interface LoadRecord {
  /** Of this form; it goes up where what is here changes its meaning. */
  readonly version: 1;
  /** When it began, as ISO 8601 has it. */
  readonly startedAt: string;
  /** What makes it again. */
  readonly command: string;
  readonly machine: Machine;
  readonly server: ServerDescription;
  /** Words that the generator was given. */
  readonly generator: readonly string[];
  readonly intervals: readonly Interval[];
  readonly result: GeneratorResult;
  /** The distribution of latencies; empty where the generator refused it. */
  readonly percentiles: readonly PercentilePoint[];
  readonly verdict: readonly Statement[];
}

/** Options in an environment, without secrets: `SIMURGH_SECRET_KEY_BASE` and URLs of brokers. */
export function optionsIn(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const shown = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      /^SIMURGH_(?!SECRET_|CLUSTER_URL|NO_INSTALL)/.test(entry[0]) && entry[1] !== undefined,
  );
  return Object.fromEntries(shown.toSorted(([left], [right]) => left.localeCompare(right)));
}

/** The command that makes a run again. */
export function commandOf(
  script: string,
  environment: Readonly<Record<string, string>>,
  words: readonly string[],
): string {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${quoted(value)}`);
  const rest = words.length === 0 ? [] : ["--", ...words.map((word) => quoted(word))];
  return [...variables, "npm", "run", script, ...rest].join(" ");
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:,=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
