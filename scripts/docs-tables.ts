/**
 * Parts of the documents that are generated from the sources: tables, and quoted files.
 *
 *   <!-- options -->                     a table generated from src/options/options.ts
 *   <!-- /options -->
 *   <!-- figures peers -->               a table generated from scripts/bench/figures.json
 *   <!-- /figures peers -->
 *   <!-- figures platforms -->           a table generated from scripts/nodes/platforms.json
 *   <!-- /figures platforms -->
 *   <!-- file test/examples/x.ts -->     the code block that follows is that file
 *
 * Runs on: `npm run docs`, which writes these parts, and a test, which compares them.
 */

import { ERRORS } from "../src/errors.ts";
import { rangeOf } from "../src/options/values.ts";
import { LOG_LINES } from "../src/log/logger.ts";
import { COUNTERS } from "../src/memory/counters-layout.ts";
import { OPTIONS, type OptionName } from "../src/options/options.ts";
import { CLOSE, CLOSE_WHEN } from "../src/protocol/reserved.ts";
import { EVENTS } from "../src/telemetry.ts";
import { GENERATIONS, type Abilities } from "../test/support/clients/generations.ts";
import { readFigures, type ServerFigures } from "./bench/figures.ts";
import { LOAD_PEERS } from "./bench/options.ts";
import type { ServerName } from "./bench/servers.ts";
import { WORKS, type WorkName } from "./bench/works.ts";
import { platformTable } from "./nodes/platform-table.ts";

type Row = readonly string[];

const FIGURES_OF_FILE = readFigures();

/** The abilities in which clients differ, as described in the reference. */
const ABILITIES: Readonly<Record<keyof Abilities, string>> = {
  binary: "sends and receives bytes",
  tellsJoinsApart: "can join a topic a second time; only the older channel ends",
  retriesJoins: "retries refused joins",
  longpoll: "uses long-poll if WebSocket is not supported",
  fallback: "falls back to long-poll if WebSocket connections fail, and remembers it",
  batches: "sends several pushes in one POST",
  postsBytes: "sends bytes by POST",
  noticesLostSession: "rejoins if its long-poll session is gone",
  authToken: "sends `authToken` separately from the parameters",
};

/** Each table, by the name in its marker. */
export const TABLES: Readonly<Record<string, () => string>> = {
  options: () =>
    table(
      ["Variable and option", "Default", "Range", "What it is", "At the limit"],
      (Object.keys(OPTIONS) as OptionName[]).map((name) => {
        const option = OPTIONS[name];
        const names = `${code(option.env)}<br>${code(name)}`;
        return [names, code(String(option.default)), rangeCell(name), option.about, option.atLimit];
      }),
    ),
  errors: () =>
    table(
      ["Code", "When", "What to do"],
      Object.entries(ERRORS).map(([name, { when, fix }]) => [code(name), when, fix]),
    ),
  events: () =>
    table(
      ["Channel", "Published when", "Fields of the message"],
      Object.entries(EVENTS).map(([name, about]) => {
        const [fields = "", when = ""] = about.split(/:\s+/, 2);
        return [code(`simurgh:${name}`), when, fields];
      }),
    ),
  counters: () =>
    table(
      ["Counter", "Kind", "What it counts"],
      Object.entries(COUNTERS).map(([name, { kind, about }]) => [code(name), kind, about]),
    ),
  lines: () =>
    table(
      ["Line", "Level"],
      Object.values(LOG_LINES).map(({ level, text }) => [text, level]),
    ),
  closes: () =>
    table(
      ["Code", "When"],
      (Object.keys(CLOSE) as (keyof typeof CLOSE)[]).map((name) => [
        String(CLOSE[name]),
        CLOSE_WHEN[name],
      ]),
    ),
  clients: () =>
    table(
      ["`phoenix`", ...GENERATIONS.map(({ version }) => version)],
      [
        ["protocol version", ...GENERATIONS.map(({ vsn }) => vsn)],
        ...(Object.keys(ABILITIES) as (keyof Abilities)[]).map((name) => [
          ABILITIES[name],
          ...GENERATIONS.map(({ can }) => (can[name] ? "yes" : "–")),
        ]),
      ],
    ),
};

/** Name of a server in the documents. */
const SERVERS = {
  bare: "bare engine",
  simurgh: "Simurgh",
  portable: "Simurgh, portable engine",
  attached: "Simurgh, attached",
  serial: '`joins: "serial"`',
  ws: "`ws`",
  "socket.io": "Socket.IO",
  "socket.io-uws": "Socket.IO on uWebSockets.js",
  bun: "Bun",
} as const satisfies Partial<Record<ServerName, string>>;

type ShownServer = keyof typeof SERVERS;

function isShown(server: ServerName): server is ShownServer {
  return server in SERVERS;
}

/** Name of a workload in the documents. */
const WORK_TITLES: Readonly<Record<WorkName, string>> = {
  echo: "echo, 200 connections",
  fanout: "fan-out, 2 000 connections on 100 topics",
  "fanout-2": "the same over two shards",
  hot: "one topic of 500, 400 sends a second",
  joins: "connects and joins at full speed",
  "echo-8k": "echo of 8 KB, p99",
  memory: "memory of one more joined connection",
  readers: "200 that read",
  "readers-slow": "180 beside 20 that never read",
};

/** Each table of measured figures, by the name in its marker. */
export const FIGURE_TABLES: Readonly<Record<string, () => string>> = {
  "figures peers": () =>
    figureTable(["echo", "fanout", "memory"], ["simurgh", "ws", "socket.io", "bun"], relationCell),
  "figures bench": () =>
    figureTable(
      ["echo", "fanout", "fanout-2", "memory"],
      ["bare", "simurgh", "serial", "ws"],
      spreadCell,
    ),
  "figures latency": () => {
    const shown: readonly ShownServer[] = ["bare", "simurgh", "ws"];
    const closed = shown.map((server) => String(figuresOf("readers-slow", server).deafClosed));
    return (
      figureTable(["readers", "readers-slow"], shown, figureCell) +
      rowOf(["of the 20, cut", ...closed])
    );
  },
  "figures platforms": () => {
    const { head, rows } = platformTable();
    return table(head, rows);
  },
  "figures all peers": () =>
    table(
      [
        "Server",
        "Echo: CPU a message",
        "p99",
        "Fan-out: CPU a message",
        "p99",
        "A joined connection",
      ],
      LOAD_PEERS.servers
        .filter(isShown)
        .map((server) => [
          SERVERS[server],
          ...(["echo", "fanout"] as const).flatMap((work) => [
            spreadCell(work, server),
            milliseconds(figuresOf(work, server).latencyP99Us),
          ]),
          spreadCell("memory", server),
        ]),
    ),
};

/** Returns a table with a row for each workload and a column for each server. */
function figureTable(
  works: readonly WorkName[],
  servers: readonly ShownServer[],
  cellOf: (work: WorkName, server: ShownServer) => string,
): string {
  return table(
    ["", ...servers.map((server) => SERVERS[server])],
    works.map((work) => [WORK_TITLES[work], ...servers.map((server) => cellOf(work, server))]),
  );
}

function figuresOf(work: WorkName, server: ShownServer): ServerFigures {
  return FIGURES_OF_FILE[work]?.servers[server] ?? {};
}

/** Formats the relation to the bare engine: `1.08×`, `+0.9 KB`. */
function relationCell(work: WorkName, server: ShownServer): string {
  const { relation } = figuresOf(work, server);
  if (relation === undefined) return "–";
  if (WORKS[work].figure !== "bytesPerConnection") return `${relation.median.toFixed(2)}×`;
  return `${signOf(relation.median)}${(Math.abs(relation.median) / 1_000).toFixed(1)} KB`;
}

/** Formats the bare engine's own figure, and the others' relation to it with its range. */
function spreadCell(work: WorkName, server: ShownServer): string {
  if (server === "bare") return figureCell(work, server);
  const { relation } = figuresOf(work, server);
  if (relation === undefined) return "–";
  const { median, min, max } = relation;
  if (WORKS[work].figure === "bytesPerConnection") return `${signOf(median)}${bytes(median)}`;
  const range = min === undefined || max === undefined ? "" : ` (${fixed(min)} – ${fixed(max)})`;
  return `${fixed(median)}×${range}`;
}

/** Formats a server's own figure. */
function figureCell(work: WorkName, server: ShownServer): string {
  const { figure } = figuresOf(work, server);
  if (figure === undefined) return "–";
  const kind = WORKS[work].figure;
  if (kind === "latencyP99Us") return milliseconds(figure);
  return kind === "bytesPerConnection" ? bytes(figure) : `${figure.toFixed(1)} µs`;
}

function milliseconds(us: number | undefined): string {
  return us === undefined ? "–" : `${(us / 1_000).toFixed(1)} ms`;
}

/** Formats bytes with groups of three digits: `2 702 B`. */
function bytes(count: number): string {
  const digits = String(Math.round(Math.abs(count)));
  return `${digits.replaceAll(/(?<=\d)(?=(?:\d{3})+$)/g, " ")} B`;
}

function fixed(ratio: number): string {
  return ratio.toFixed(2);
}

function signOf(difference: number): string {
  return difference < 0 ? "−" : "+";
}

/**
 * Returns a document with its tables and quoted files updated from the sources.
 *
 * @param read - returns the text of a file, by its path from the project's root
 */
export function withGenerated(document: string, read: (path: string) => string): string {
  let text = document;
  for (const [name, make] of Object.entries({ ...TABLES, ...FIGURE_TABLES })) {
    const region = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`, "g");
    text = text.replace(region, (_, open: string, close: string) => open + make() + close);
  }
  return text.replaceAll(
    /(<!-- file (\S+) -->\n+```\w*\n)[\s\S]*?(```\n)/g,
    (_, open: string, path: string, close: string) => open + read(path) + close,
  );
}

function table(head: Row, rows: readonly Row[]): string {
  return rowOf(head) + rowOf(head.map(() => "---")) + rows.map(rowOf).join("");
}

function rowOf(cells: Row): string {
  return `| ${cells.map(cell).join(" | ")} |\n`;
}

/** Formats a range with its unit: `4096 to 67108864 bytes, a power of two`. */
function rangeCell(name: OptionName): string {
  const option = OPTIONS[name];
  const range = rangeOf(option);
  if (option.kind === "text" || option.unit === "port") return range;
  const [bounds, ...more] = range.split(", ");
  return [`${bounds} ${option.unit}`, ...more].join(", ");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function code(text: string): string {
  return `\`${text}\``;
}
