/**
 * The report of `npm run load:drops`, as one HTML page.
 *
 * Runs on: the process of `load:drops`.
 */

import { formatBytes, formatMs } from "../charts/formats.ts";
import { drawGroupChart, type GroupChart } from "../charts/group-chart.ts";
import { escapeText } from "../charts/markup.ts";
import { makeNumbers, makePage, makeTable, makeVerdict, type Statement } from "../charts/page.ts";
import type { Machine } from "../machine.ts";
import { shortcomingsOf, showShare, type Figures } from "./figures.ts";
import { SERVER_NAMES, SERVERS } from "./servers/servers.ts";
import { cellsOf, HEAD } from "./table.ts";

/** A run, as in `drops.json`. */
export interface DropsRecord {
  /** Version of this format; incremented if the meaning of a field changes. */
  readonly version: 1;
  /** Start time in ISO 8601. */
  readonly startedAt: string;
  /** The command that repeats the run. */
  readonly command: string;
  readonly machine: Machine;
  readonly maxP99Ms: number;
  readonly rows: readonly Figures[];
  /** Turns that failed, and why. */
  readonly failures: readonly string[];
}

/** Creates the page. */
export function makeDropsPage(record: DropsRecord): string {
  const { startedAt, command, machine, rows } = record;
  const body = [
    "<h1>Torn connections and restarts: what clients get</h1>",
    `<p class="quiet">${escapeText(`${machine.processor}, ${machine.cores} cores, ${startedAt}`)}</p>`,
    makeVerdict(statementsOf(record)),
    drawFigureOf(rows, {
      id: "delivered",
      title: "Delivered",
      about: "Share of the messages that clients got, each counted once.",
      unit: "share of all messages",
      format: showShare,
      figureOf: ({ delivered, expected }) => delivered / expected,
    }),
    drawFigureOf(rows, {
      id: "recovery",
      title: "Time to recover, p99",
      about:
        "From the moment a client is connected again until the last message that it had missed. A server that sends nothing again has no dot.",
      unit: "time",
      isLogarithmic: true,
      format: formatMs,
      figureOf: ({ recovery }) => recovery?.p99Ms,
    }),
    "<h2>Figures</h2>",
    makeNumbers(
      HEAD,
      rows.map((figures) => cellsOf(figures)),
    ),
    "<h2>Machine, and how to repeat the run</h2>",
    makeTable([
      ["Processor", machine.processor, `${machine.cores} cores for this process`],
      ["Memory", formatBytes(machine.memoryBytes)],
      ["System", machine.system],
      ["Node.js", machine.node],
    ]),
    `<pre>${escapeText(command)}</pre>`,
  ];
  return makePage("Simurgh: torn connections", body.join("\n"));
}

/** Short, so that all labels fit. */
function labelOf({ scenario, load }: Figures): string {
  return `${scenario}, ${load.topics}`;
}

function statementsOf({ rows, failures, maxP99Ms }: DropsRecord): readonly Statement[] {
  const shortcomings = rows.flatMap((figures) => shortcomingsOf(figures, maxP99Ms));
  const bad = [...failures, ...shortcomings].map((text) => ({ grade: "bad", text }) as const);
  if (bad.length > 0) return bad;
  const isJudged = rows.some(({ server }) => SERVERS[server].isJudged);
  return isJudged ? [{ grade: "good", text: "Simurgh lost, doubled and disordered nothing." }] : [];
}

type Drawn = Pick<GroupChart, "id" | "title" | "about" | "unit" | "format" | "isLogarithmic"> & {
  readonly figureOf: (this: void, figures: Figures) => number | undefined;
};

/** Draws a figure of all servers, over scenarios and loads. */
function drawFigureOf(rows: readonly Figures[], { figureOf, ...chart }: Drawn): string {
  const labels = [...new Set(rows.map((figures) => labelOf(figures)))];
  const groups = SERVER_NAMES.filter((name) => rows.some(({ server }) => server === name)).map(
    (name) => ({
      name: SERVERS[name].title,
      values: labels.map((label) => {
        const found = rows.find((figures) => figures.server === name && labelOf(figures) === label);
        const value = found === undefined ? undefined : figureOf(found);
        return value === undefined ? null : { value, isSound: true };
      }),
      reference: null,
    }),
  );
  return drawGroupChart({
    ...chart,
    setting: "scenario, topics",
    labels,
    groups,
    referenceName: "",
  });
}
