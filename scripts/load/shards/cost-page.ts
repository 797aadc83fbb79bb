/**
 * The part of a sweep's report about the cost of a delivery.
 *
 * Runs on: the sweep's process. Pure functions.
 */

import { formatCount, formatNumber, formatRate } from "../charts/formats.ts";
import { drawGroupChart, type GroupChart, type GroupValue } from "../charts/group-chart.ts";
import { escapeText } from "../charts/markup.ts";
import { makeNumbers } from "../charts/page.ts";
import {
  COST_FIGURES,
  costHeads,
  costRows,
  describeCostMarks,
  figuresIn,
  nameOf,
  showCost,
  type CostFigure,
  type CostRecord,
} from "./cost.ts";

type ChartText = Pick<GroupChart, "title" | "about" | "unit"> & { readonly isLogarithmic?: true };

const CHARTS = {
  cpuUs: {
    title: "CPU per delivery",
    about: "Of the server, with all of its threads.",
    unit: "CPU",
  },
  voluntary: {
    title: "Voluntary context switches per delivery",
    about: "A thread had nothing to do, slept, and had to be woken.",
    unit: "switches",
  },
  involuntary: {
    title: "Involuntary context switches per delivery",
    about: "A thread could have run on, but another thread or program got its core.",
    unit: "switches",
  },
  calls: {
    title: "System calls per delivery",
    about: "Calls of any kind: sending, receiving, waiting and waking.",
    unit: "calls",
  },
  p99Us: {
    title: "p99 of latency over shards",
    about: "From the planned time of a send to its delivery.",
    unit: "latency",
    isLogarithmic: true,
  },
} as const satisfies Record<CostFigure, ChartText>;

/** Creates the part of the page, with a chart of each figure and the table. */
export function makeCostSection(record: CostRecord): readonly string[] {
  const { load, rates, startedAt, whyNoCalls } = record;
  const shown = rates.map((rate) => formatCount(rate)).join(", ");
  return [
    "<h2>What a delivery costs over shards</h2>",
    `<p class="quiet">${escapeText(`${load.join(" ")}, ${shown} deliveries a second; ${startedAt}`)}</p>`,
    "<p>One line for each rate, and a dashed one for the bare engine at that rate: the smallest program on the same engine, which has one thread. Dots are medians. A hollow dot, or a value in brackets, comes from runs that cannot be compared, because the generator was the bottleneck, the server fell behind or it had no free core; all other values are medians without such runs.</p>",
    ...(whyNoCalls === null
      ? []
      : [`<p>${escapeText(`System calls were not counted: ${whyNoCalls}.`)}</p>`]),
    ...figuresIn(record).map((name) => drawCost(record, name)),
    makeNumbers(costHeads(record), costRows(record)),
    `<details><summary>Every run</summary>${makeCostRuns(record)}</details>`,
  ];
}

function drawCost({ cells, rates, shards }: CostRecord, name: CostFigure): string {
  const valueOf = (rate: number, count: number | null): GroupValue | null => {
    const cell = cells.find((one) => one.rate === rate && one.shards === count);
    const value = cell?.medians[name] ?? null;
    return cell === undefined || value === null ? null : { value, isSound: cell.isSound };
  };
  return drawGroupChart({
    id: `cost-${name}`,
    ...CHARTS[name],
    setting: "shards",
    labels: shards.map(String),
    groups: rates.map((rate) => ({
      name: formatRate(rate),
      values: shards.map((count) => valueOf(rate, count)),
      reference: valueOf(rate, null),
    })),
    referenceName: "bare engine",
    format: COST_FIGURES[name].format,
  });
}

function makeCostRuns(record: CostRecord): string {
  const names = figuresIn(record);
  const rows = record.cells.flatMap(({ shards, rate, turns }) =>
    turns.map((turn, index) => [
      formatCount(rate),
      nameOf(shards),
      formatNumber(index + 1),
      ...names.map((name) => showCost(name, turn[name])),
      describeCostMarks(turn.marks),
    ]),
  );
  const [rate = "", server = "", ...others] = costHeads(record);
  return makeNumbers([rate, server, "round", ...others], rows);
}
