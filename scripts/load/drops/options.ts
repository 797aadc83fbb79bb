/**
 * The command line of `npm run load:drops`.
 *
 * Runs on: the process of `load:drops`, once.
 */

import { parseArgs } from "node:util";
import { readCount, readSeed } from "../../suites/words.ts";
import { SCENARIOS, type Load, type Scenario } from "./load.ts";
import { SERVER_NAMES, SERVERS, type ServerName } from "./servers/servers.ts";
import type { PlannedTurn } from "./turn.ts";

/** The options, checked and with all defaults filled in. */
export interface DropsOptions {
  readonly turns: readonly PlannedTurn[];
  readonly seed: number;
  /** Bound of the p99 of recovery. */
  readonly maxP99Ms: number;
  readonly out: string;
  readonly json: boolean;
  readonly help: boolean;
}

/** The text of `--help`; fits a screen of 80 columns and 24 lines. */
export const HELP = `npm run load:drops -- [OPTIONS]
  Tears the connections of clients while messages are published, and counts what
  each client gets: once, in order, and how soon after it is back.
  --clients N       number of clients (1000)
  --topics N        one load with N topics, instead of 1 and then 100
  --rate N          messages a second on all topics (2; 20 with 100 topics)
  --messages N      number of messages (those of 60 seconds)
  --tear-every MS   average time until a connection is torn (15000)
  --away MS         how long its client stays away (2000)
  --scenario LIST   drops; shards: all shards are restarted in turn;
                    process: the server is stopped and started (all)
  --servers LIST    simurgh, simurgh-live, socket.io-recovery, socket.io (all)
  --p99 MS          bound of the time to recover, for Simurgh (250)
  --seed N          repeats the choices of a run, but not its timing (random)
  --quick           few clients and seconds, Simurgh with and without history
  --out FOLDER      folder of drops.html and drops.json (load-report)
  --json            print the figures as JSON
  --help            show this
Exit code: 0 if Simurgh lost, doubled and disordered nothing, 1 if it did or the
  run failed, 2 for a bad option.
`;

/** What is given for a run, if no option says otherwise. */
interface Defaults {
  readonly clients: number;
  readonly seconds: number;
  readonly tearEveryMs: number;
  readonly awayMs: number;
  readonly servers: readonly ServerName[];
  readonly loads: readonly Pick<Load, "topics" | "rate">[];
}

const WHOLE: Defaults = {
  clients: 1_000,
  seconds: 60,
  tearEveryMs: 15_000,
  awayMs: 2_000,
  servers: SERVER_NAMES,
  loads: [
    { topics: 1, rate: 2 },
    { topics: 100, rate: 20 },
  ],
};
const QUICK: Defaults = {
  clients: 40,
  seconds: 4,
  tearEveryMs: 1_500,
  awayMs: 400,
  servers: ["simurgh", "simurgh-live"],
  loads: [{ topics: 4, rate: 40 }],
};

/** Parses the command line. @throws TypeError with a one-line message for the user */
export function parseDropsOptions(words: readonly string[]): DropsOptions {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...words],
    options: {
      clients: text,
      topics: text,
      rate: text,
      messages: text,
      "tear-every": text,
      away: text,
      scenario: text,
      servers: text,
      p99: text,
      seed: text,
      quick: flag,
      out: { type: "string", default: "load-report" },
      json: flag,
      help: flag,
    },
  });
  const defaults = values.quick ? QUICK : WHOLE;
  const scenarios = readList("scenario", values.scenario, SCENARIOS, SCENARIOS);
  const servers = readList("servers", values.servers, SERVER_NAMES, defaults.servers);
  const loads = readLoads(values, defaults);
  return {
    turns: scenarios.flatMap((scenario) =>
      loads.flatMap((load) =>
        servers
          .filter((server) => canPlay(server, scenario))
          .map((server) => ({ server, scenario, load })),
      ),
    ),
    seed: readSeed(values.seed),
    maxP99Ms: readMs("p99", values.p99, 250),
    out: values.out,
    json: values.json,
    help: values.help,
  };
}

function canPlay(server: ServerName, scenario: Scenario): boolean {
  const scenarios: readonly Scenario[] = SERVERS[server].scenarios;
  return scenarios.includes(scenario);
}

interface LoadTexts {
  readonly clients?: string | undefined;
  readonly topics?: string | undefined;
  readonly rate?: string | undefined;
  readonly messages?: string | undefined;
  readonly "tear-every"?: string | undefined;
  readonly away?: string | undefined;
}

function readLoads(texts: LoadTexts, defaults: Defaults): readonly Load[] {
  const clients = read("clients", texts.clients, defaults.clients, 20_000);
  const topics = read("topics", texts.topics, 0, 10_000);
  const [first] = defaults.loads;
  const loads = topics === 0 ? defaults.loads : [{ topics, rate: first?.rate ?? 1 }];
  return loads.map((load) => {
    if (load.topics > clients) {
      throw new TypeError(
        `clients must be at least as many as topics (${load.topics}), got ${clients}`,
      );
    }
    const rate = read("rate", texts.rate, load.rate, 100_000);
    const messages = read("messages", texts.messages, rate * defaults.seconds, 10_000_000);
    return {
      clients,
      topics: load.topics,
      rate,
      // Each topic has the same number.
      messages: Math.ceil(messages / load.topics) * load.topics,
      tearEveryMs: readMs("tear-every", texts["tear-every"], defaults.tearEveryMs),
      awayMs: readMs("away", texts.away, defaults.awayMs),
    };
  });
}

function read(name: string, text: string | undefined, usual: number, max: number): number {
  return text === undefined ? usual : readCount(name, text, { min: 1, max, unit: name });
}

function readMs(name: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  return readCount(name, text, { min: 1, max: 3_600_000, unit: "ms" });
}

function readList<Name extends string>(
  option: string,
  text: string | undefined,
  known: readonly Name[],
  usual: readonly Name[],
): readonly Name[] {
  if (text === undefined) return usual;
  const given = text.split(",");
  const unknown = given.find((name) => !known.some((one) => one === name));
  if (unknown === undefined) return known.filter((name) => given.includes(name));
  throw new TypeError(`${option} must be one or more of ${known.join(", ")}, got ${unknown}`);
}
