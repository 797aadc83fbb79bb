/**
 * The command line of `npm run load:shards`: its own options, and those passed on to the generator.
 *
 * Runs on: the sweep's process, once.
 */

import { OPTIONS } from "../../../src/options/options.ts";
import { checkInteger, integerOf } from "../../../src/options/values.ts";
import type { CostSetting } from "./cost.ts";
import { DIMENSIONS, DIMENSION_NAMES, type Dimension, type DimensionName } from "./dimensions.ts";

/** The options, checked and with all defaults filled in. */
export interface SweepOptions {
  readonly dimensions: readonly Dimension[];
  /** What to measure the cost of a delivery for; undefined if it is not measured. */
  readonly cost: CostSetting | undefined;
  /** Number of measurements of each setting. */
  readonly rounds: number;
  /** Length of the window at the fixed rate. */
  readonly seconds: number;
  /** Length of the window of each rate that the search tries. */
  readonly searchMs: number;
  /** Bound of the p99 in the search. */
  readonly boundMs: number;
  readonly out: string;
  /** Whether to keep dimensions of an earlier sweep in `out` that this one does not measure. */
  readonly keep: boolean;
  /**
   * Scenario and options of the generator. Their rate is the fixed rate, and the first rate of the
   * search.
   */
  readonly load: readonly string[];
  readonly help: boolean;
}

/** The text of `--help`; fits a screen of 80 columns and 24 lines. */
export const HELP = `npm run load:shards -- [SCENARIO] [OPTIONS]
  Sweeps options of the server, one at a time with the others at their defaults,
  and writes shards.html and shards.json with recommendations for this machine.
  Also measures the cost of a delivery over shards, beside the bare engine.
  SCENARIO         echo or fanout, of native-bench (fanout)
  --shards LIST    SIMURGH_SHARDS, also for the cost (1,2,4,8)
  --coalesce LIST  SIMURGH_COALESCE_MS (0,2,5,10)
  --ring LIST      SIMURGH_RING_BYTES (auto,16384,65536,4194304)
  --rates LIST     deliveries a second, for the cost (60k,200k,400k)
  --only NAMES     shards, coalesce, ring, cost, separated by commas (all)
  --rounds N       how often each setting is measured, 2 to 20 (3)
  --seconds N      window at the fixed rate, 1 to 60 (3)
  --p99 MS         bound of the p99 in the search for a rate, 1 to 1000 (20)
  --quick          two rounds, short windows, fewer values: a few minutes
  --out FOLDER     folder of the report (load-report)
  --keep           keep what only an earlier sweep there has measured
  --help           show this
All other options go to the generator, such as --rate 1k --payload 256, but not
  for the cost. p99 and CPU are compared at this rate, where the search begins.
Exit code: 0 if there is a report, 1 if the sweep failed, 2 for a bad option.
`;

/**
 * The default load: broadcasts that cross shards, at a rate that two cores can handle. The generator has two
 * threads because, with deliveries that arrive one by one, a single thread saturates long before the server.
 */
const DEFAULT_LOAD = {
  fanout: "--connections 400 --topics 20 --rate 250 --threads 2",
  echo: "--connections 200 --rate 2k --threads 2",
} as const;
type Scenario = keyof typeof DEFAULT_LOAD;

const QUICK = { rounds: 2, seconds: 1, searchMs: 500 };
const WHOLE = { rounds: 3, seconds: 3, searchMs: 1_000 };

const TEXTS = [
  "shards",
  "coalesce",
  "ring",
  "rates",
  "only",
  "rounds",
  "seconds",
  "p99",
  "out",
] as const;
type TextName = (typeof TEXTS)[number];
const FLAGS = ["quick", "keep", "help"] as const;
type FlagName = (typeof FLAGS)[number];

/** Options that the sweep itself passes to the generator. */
const TAKEN = [
  "url",
  "server-pid",
  "json",
  "live",
  "hgrm",
  "duration",
  "warmup",
  "search-p99",
  "max-late",
];

/** Name of a part of the sweep in `--only`. */
type PartName = DimensionName | "cost";
const PART_NAMES: readonly PartName[] = [...DIMENSION_NAMES, "cost"];

/** Parses the command line. @throws TypeError with a one-line message for the user */
export function parseSweepOptions(words: readonly string[]): SweepOptions {
  const { texts, flags, rest } = split(words);
  const plan = flags.has("quick") ? QUICK : WHOLE;
  const only = readNames(texts.only ?? PART_NAMES.join(","));
  const dimensions = DIMENSION_NAMES.filter((name) => only.includes(name));
  if (dimensions.length === 0 && rest.length > 0) {
    throw new TypeError(`cost has a load of its own, which --rates varies, got ${rest.join(" ")}`);
  }
  const count = (name: TextName, fallback: number, min: number, max: number): number =>
    readCount(name, texts[name] ?? String(fallback), min, max);
  return {
    dimensions: dimensions.map((name) => readDimension(name, texts[name], flags.has("quick"))),
    cost: only.includes("cost") ? readCost(texts, flags.has("quick")) : undefined,
    rounds: count("rounds", plan.rounds, 2, 20),
    seconds: count("seconds", plan.seconds, 1, 60),
    searchMs: plan.searchMs,
    boundMs: count("p99", 20, 1, 1_000),
    out: texts.out ?? "load-report",
    keep: flags.has("keep"),
    load: readLoad(rest),
    help: flags.has("help"),
  };
}

interface Split {
  readonly texts: { readonly [Name in TextName]?: string };
  readonly flags: ReadonlySet<FlagName>;
  readonly rest: readonly string[];
}

function split(words: readonly string[]): Split {
  const texts: { [Name in TextName]?: string } = {};
  const flags = new Set<FlagName>();
  const rest: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const name = word.startsWith("--") ? word.slice(2) : "";
    const text = TEXTS.find((candidate) => candidate === name);
    const flag = FLAGS.find((candidate) => candidate === name);
    if (text !== undefined) texts[text] = readText(text, words[++at]);
    else if (flag !== undefined) flags.add(flag);
    else if (TAKEN.includes(name))
      throw new TypeError(`${name} must not be given; the sweep sets it`);
    else rest.push(word);
  }
  return { texts, flags, rest };
}

function readText(name: TextName, word: string | undefined): string {
  if (word !== undefined && word !== "" && !word.startsWith("--")) return word;
  throw new TypeError(`${name} must have a value, got ${word ?? "nothing"}`);
}

function readCount(name: string, text: string, min: number, max: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= min && count <= max) return count;
  throw new TypeError(`${name} must be an integer from ${min} to ${max}, got ${text}`);
}

function readNames(text: string): readonly PartName[] {
  const given = text.split(",");
  const unknown = given.find((name) => !PART_NAMES.some((known) => known === name));
  if (unknown !== undefined) {
    throw new TypeError(`only must be one or more of ${PART_NAMES.join(", ")}, got ${unknown}`);
  }
  return PART_NAMES.filter((name) => given.includes(name));
}

const RATES = "60k,200k,400k";
const MIN_RATE = 1_000;
const MAX_RATE = 10_000_000;

function readCost({ shards, rates = RATES }: Split["texts"], isQuick: boolean): CostSetting {
  const { variable, values, quick } = DIMENSIONS.shards;
  const counts = (shards?.split(",") ?? (isQuick ? quick : values)).map((text) => {
    checkInteger(variable, OPTIONS.shards, integerOf(text));
    return Number(text);
  });
  return { shards: inOrder(counts), rates: inOrder(rates.split(",").map(readRate)) };
}

/** Parses a rate, in which `k` means thousands. */
function readRate(text: string): number {
  const found = /^(\d+)(k?)$/.exec(text);
  const rate = found === null ? Number.NaN : Number(found[1]) * (found[2] === "k" ? 1_000 : 1);
  if (rate >= MIN_RATE && rate <= MAX_RATE) return rate;
  throw new TypeError(
    `rates must be integers from 1k to 10000k (deliveries per second), got ${text}`,
  );
}

function inOrder(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)].toSorted((left, right) => left - right);
}

/** Parses a dimension. Its values always include the default, with which all others are compared. */
function readDimension(name: DimensionName, text: string | undefined, isQuick: boolean): Dimension {
  const { option, variable, values, quick } = DIMENSIONS[name];
  const fallback = DIMENSIONS[name].fallback();
  const given = text?.split(",") ?? (isQuick ? quick : values);
  for (const value of given) checkInteger(variable, OPTIONS[option], integerOf(value));
  const all = [...new Set([...given, fallback])];
  return { name, fallback, values: all.toSorted(bySize) };
}

/** Compares numbers by size, with `auto` before all of them. */
function bySize(left: string, right: string): number {
  const [one, other] = [left, right].map((text) => (text === "auto" ? -1 : Number(text)));
  return (one as number) - (other as number);
}

function readLoad(words: readonly string[]): readonly string[] {
  const [first] = words;
  const isNamed = first !== undefined && !first.startsWith("--");
  const scenario = isNamed ? first : "fanout";
  if (!isScenario(scenario)) {
    throw new TypeError(`the scenario must be echo or fanout, got ${scenario}`);
  }
  // In the generator, later options take precedence, so the given options replace the defaults.
  return [scenario, ...DEFAULT_LOAD[scenario].split(" "), ...words.slice(isNamed ? 1 : 0)];
}

function isScenario(name: string): name is Scenario {
  return Object.hasOwn(DEFAULT_LOAD, name);
}
