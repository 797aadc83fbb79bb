/**
 * The command line of `npm run load`: its own options, and those passed on to the generator.
 *
 * Runs on: the load test's process, once.
 */

/** The options, checked and with all defaults filled in. */
export interface LoadOptions {
  /** Undefined to start a server. */
  readonly url: string | undefined;
  readonly pid: number | undefined;
  readonly statsUrl: string | undefined;
  /** Undefined to use the value in the environment, or the number of CPUs. */
  readonly shards: number | undefined;
  /** Length of the measured window. */
  readonly seconds: number;
  /** Time between points of the charts. */
  readonly everyMs: number;
  readonly out: string;
  /** The user's scenario and options of the generator. */
  readonly load: readonly string[];
  readonly help: boolean;
}

/** The text of `--help`; fits a screen of 80 columns and 24 lines. */
export const HELP = `npm run load -- [SCENARIO] [OPTIONS]
  Loads a server, shows the progress, writes report.html and report.json.
  SCENARIO         of native-bench: connect, echo, fanout and others (fanout)
  --shards N       shards of the started server (SIMURGH_SHARDS, else CPUs)
  --seconds N      length of the measured window, 1 to 3600 (10)
  --every MS       time between points of the charts, 100 to 60000 (1000)
  --out FOLDER     folder of the report (load-report)
  --url URL        your own server, ws://127.0.0.1:4000/socket/websocket
  --pid N          its process, to measure its CPU and memory
  --stats URL      returns server.stats() as JSON, to show the heap by shard
  --help           show this
All other options go to the generator (native-bench/build/native-bench --help):
  npm run load -- echo --connections 500 --rate 20k --threads 2
The started server takes its options from the environment:
  SIMURGH_COALESCE_MS=10 npm run load -- fanout --topics 20
Exit code: 0 if everything arrived once, 1 if the run failed, 2 for a bad option,
  3 if deliveries were missing, doubled or out of order.
`;

/** Options that take a value, and the name of the value in errors. */
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

/** Options that this program itself passes to the generator, and the options to use instead. */
const TAKEN: Readonly<Record<string, string>> = {
  "server-pid": "--pid",
  duration: "--seconds",
  live: "--every",
  json: "report.json, which is always written",
  hgrm: "report.json, which has the distribution",
};

const DEFAULT_SCENARIO = "fanout";

/** Parses the command line. @throws TypeError with a one-line message for the user */
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
  throw new TypeError(`${name} must not be given; use ${instead}`);
}

/**
 * Rejects options for the user's own server if `url` is missing, and options for a started server
 * if `url` is given.
 */
function checkTogether({ url, pid, statsUrl, shards }: LoadOptions): void {
  if (url === undefined && pid !== undefined) {
    throw new TypeError(`pid must come with url, got ${pid} alone`);
  }
  if (url === undefined && statsUrl !== undefined) {
    throw new TypeError(`stats must come with url, got ${statsUrl} alone`);
  }
  if (url !== undefined && shards !== undefined) {
    throw new TypeError(
      `shards must not be given with url, got ${shards}: that server has its own`,
    );
  }
}
