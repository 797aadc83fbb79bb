/**
 * Parts of the documents that are generated from the sources: tables, and quoted files.
 *
 *   <!-- options -->                     a table generated from src/options/options.ts
 *   <!-- /options -->
 *   <!-- file test/examples/x.ts -->     the code block that follows is that file
 *
 * Runs on: `npm run docs`, which writes them, and a test, which compares them.
 */

import { ERRORS } from "../src/errors.ts";
import { rangeOf } from "../src/options/values.ts";
import { OPTIONS, type OptionName } from "../src/options/options.ts";
import { CLOSE, CLOSE_WHEN } from "../src/protocol/reserved.ts";
import { EVENTS } from "../src/telemetry.ts";
import { GENERATIONS, type Abilities } from "../test/support/clients/generations.ts";

type Row = readonly string[];

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

/**
 * Returns a document with its tables and quoted files updated from the sources.
 *
 * @param read - returns the text of a file, by its path from the project's root
 */
export function withGenerated(document: string, read: (path: string) => string): string {
  let text = document;
  for (const [name, make] of Object.entries(TABLES)) {
    const region = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`, "g");
    text = text.replace(region, (_, open: string, close: string) => open + make() + close);
  }
  return text.replaceAll(
    /(<!-- file (\S+) -->\n+```\w*\n)[\s\S]*?(```\n)/g,
    (_, open: string, path: string, close: string) => open + read(path) + close,
  );
}

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.map(cell).join(" | ")} |\n`;
  return line(head) + line(head.map(() => "---")) + rows.map(line).join("");
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
