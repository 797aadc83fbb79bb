/**
 * The command line of `npm run load`: its own options, and what goes on to the generator.
 *
 * Runs on: the load test's process, once.
 */

/** Options with every default filled in and every value checked. */
export interface LoadOptions {
  /** Undefined: a server is started. */
  readonly url: string | undefined;
  readonly pid: number | undefined;
  readonly statsUrl: string | undefined;
  /** Undefined: as many as the environment says, or as there are CPUs. */
  readonly shards: number | undefined;
  /** The measured window. */
  readonly seconds: number;
  /** Between two points of the charts. */
  readonly everyMs: number;
  readonly out: string;
  /** Scenario and options of the generator, but for those that this program gives it. */
  readonly load: readonly string[];
  readonly help: boolean;
}

/** The text of `--help`; fits a screen of 80 columns and 24 lines. */
export const HELP = `npm run load -- [SCENARIO] [OPTIONS]
  Loads a server, shows how it goes, writes report.html and report.json.
  SCENARIO         of native-bench: connect, echo, fanout and others (fanout)
  --shards N       shards of the server that is started (SIMURGH_SHARDS, else CPUs)
  --seconds N      the measured window, 1 to 3600 (10)
  --every MS       between two points of the charts, 100 to 60000 (1000)
  --out FOLDER     where the report goes (load-report)
  --url URL        a server of yours, ws://127.0.0.1:4000/socket/websocket
  --pid N          its process: without, its CPU and memory are not known
  --stats URL      where it gives server.stats() as JSON: heap by shard
  --help           show this
All else goes to the generator as it is (native-bench/build/native-bench --help):
  npm run load -- echo --connections 500 --rate 20k --threads 2
The server that is started takes every option from its environment:
  SIMURGH_COALESCE_MS=10 npm run load -- fanout --topics 20
Exit: 0 all arrived once; 3 deliveries missing, doubled or out of order;
  1 the run failed in another way; 2 a bad option.
`;

/** Options that take a value, and how it is named where it is missing. */
const OWN = {
  url: "URL",
  pid: "process",
  stats: "URL",
  shards: "shards",
  seconds: "seconds",
  every: "ms",
  out: "folder",
} as const;
type OwnName = keyof typeof OWN;

/** What this program tells the generator itself, and what is to be given instead. */
const TAKEN: Readonly<Record<string, string>> = {
  "server-pid": "--pid",
  duration: "--seconds",
  live: "--every",
  json: "report.json, which is written always",
  hgrm: "report.json, which has the distribution",
};

const DEFAULT_SCENARIO = "fanout";

/** Reads the command line. @throws TypeError whose message is one line for the user */
export function parseLoadOptions(words: readonly string[]): LoadOptions {
  const own: { [Name in OwnName]?: string } = {};
  const load: string[] = [];
  let help = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const name = word.startsWith("--") ? word.slice(2) : "";
    if (name === "help") {
      help = true;
    } else if (isOwn(name)) {
      own[name] = readText(name, words[++at]);
    } else {
      refuseTaken(name);
      load.push(word);
    }
  }
  const isNamed = load[0] !== undefined && !load[0].startsWith("--");
  const options: LoadOptions = {
    url: own.url === undefined ? undefined : readUrl("url", own.url, "ws:"),
    pid: readOptionalCount("pid", own.pid, 4_194_304),
    statsUrl: own.stats === undefined ? undefined : readUrl("stats", own.stats, "http:"),
    shards: readOptionalCount("shards", own.shards, 64),
    seconds: readCount("seconds", own.seconds ?? "10", 1, 3_600),
    everyMs: readCount("every", own.every ?? "1000", 100, 60_000),
    out: own.out ?? "load-report",
    load: isNamed ? load : [DEFAULT_SCENARIO, ...load],
    help,
  };
  checkTogether(options);
  return options;
}

function isOwn(name: string): name is OwnName {
  return Object.hasOwn(OWN, name);
}

function readText(name: OwnName, word: string | undefined): string {
  if (word !== undefined && word !== "" && !word.startsWith("--")) return word;
  throw new TypeError(`${name} must have a value (${OWN[name]}), got ${word ?? "nothing"}`);
}

function readUrl(name: OwnName, text: string, protocol: string): string {
  if (URL.canParse(text) && new URL(text).protocol === protocol) return text;
  throw new TypeError(`${name} must be a URL that begins with ${protocol}//, got ${text}`);
}

function readOptionalCount(
  name: OwnName,
  text: string | undefined,
  max: number,
): number | undefined {
  return text === undefined ? undefined : readCount(name, text, 1, max);
}

function readCount(name: OwnName, text: string, min: number, max: number): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= min && count <= max) return count;
  throw new TypeError(
    `${name} must be an integer from ${min} to ${max} (${OWN[name]}), got ${text}`,
  );
}

function refuseTaken(name: string): void {
  const instead = TAKEN[name];
  if (instead === undefined) return;
  throw new TypeError(`${name} must be left to this program, which gives it by ${instead}`);
}

/** What describes a server of the user's is nothing to one that is started, and the other way round. */
function checkTogether({ url, pid, statsUrl, shards }: LoadOptions): void {
  if (url === undefined && pid !== undefined) {
    throw new TypeError(`pid must come with url, got ${pid} alone`);
  }
  if (url === undefined && statsUrl !== undefined) {
    throw new TypeError(`stats must come with url, got ${statsUrl} alone`);
  }
  if (url !== undefined && shards !== undefined) {
    throw new TypeError(`shards must be left out with url, got ${shards}: that server has its own`);
  }
}
