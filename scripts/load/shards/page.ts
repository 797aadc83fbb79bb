/**
 * The report of a sweep, as one HTML page.
 *
 * Runs on: the sweep's process.
 */

import { formatBytes, formatMs } from "../charts/formats.ts";
import { escapeText } from "../charts/markup.ts";
import { makeNumbers, makePage, makeTable } from "../charts/page.ts";
import { drawSweepChart, type SettingRuns, type SweepChart } from "../charts/sweep-chart.ts";
import { makeCostSection } from "./cost-page.ts";
import { FIGURE_NAMES, figuresOf, middleOf, type FigureName } from "./comparison.ts";
import { DIMENSIONS } from "./dimensions.ts";
import { showFigure } from "./recommendation.ts";
import type { SweepRecord, SweptDimension } from "./record.ts";
import type { Mark, Turn } from "./turn.ts";

/** Creates the page. */
export function makeSweepPage(record: SweepRecord): string {
  const { machine, boundMs, dimensions, cost = null } = record;
  const about = `${machine.processor}, ${machine.cores} cores`;
  const load = record.load.join(" ");
  const isSwept = dimensions.length > 0;
  const commands = [...dimensions, ...(cost === null ? [] : [cost])].map(({ command }) => command);
  const body = [
    "<h1>Shards, coalescing and rings: what suits this machine</h1>",
    `<p class="quiet">${escapeText(isSwept ? `${about}; ${load}` : about)}</p>`,
    ...(isSwept ? makeChoices(dimensions) : []),
    ...dimensions.flatMap((swept) => makeSection(swept, boundMs)),
    ...(cost === null ? [] : makeCostSection(cost)),
    "<h2>Machine, and how to repeat the sweep</h2>",
    makeTable([
      ["Processor", machine.processor, `${machine.cores} cores for this process`],
      ["Memory", formatBytes(machine.memoryBytes)],
      ["System", machine.system],
      ["Node.js", machine.node],
      ...(isSwept
        ? [["Load", load, "its rate is the fixed one, and the first of the search"] as const]
        : []),
    ]),
    ...[...new Set(commands)].map((command) => `<pre>${escapeText(command)}</pre>`),
  ];
  return makePage("Simurgh: a sweep of its settings", body.join("\n"));
}

function makeChoices(dimensions: readonly SweptDimension[]): readonly string[] {
  return [
    "<h2>Recommended</h2>",
    `<ul class="verdict">${dimensions.map((swept) => makeChoice(swept)).join("\n")}</ul>`,
    '<p class="quiet">A difference counts if every run of one setting was better than every run of the other and their medians are at least a tenth apart. Anything else is a tie, and the default stays.</p>',
  ];
}

function makeChoice({ recommendation }: SweptDimension): string {
  const { value, reasons } = recommendation;
  const grade = value === undefined ? "caution" : "good";
  return `<li class="${grade}">${escapeText(reasons[0] ?? "")}</li>`;
}

function makeSection(swept: SweptDimension, boundMs: number): readonly string[] {
  const { dimension, recommendation, startedAt } = swept;
  const { title, variable } = DIMENSIONS[dimension.name];
  const others = recommendation.reasons.slice(1);
  return [
    `<h2>${escapeText(title)}</h2>`,
    `<p class="quiet">${escapeText(`${variable}, ${startedAt}`)}</p>`,
    `<ul>${others.map((reason) => `<li>${escapeText(reason)}</li>`).join("")}</ul>`,
    ...FIGURE_NAMES.map((name) => drawFigureOf(swept, name, boundMs)),
    `<details><summary>Every run</summary>${makeRuns(swept)}</details>`,
  ];
}

const CHARTS = {
  throughput: {
    title: "Highest rate",
    about: (bound) =>
      `Deliveries a second with a p99 below ${bound}. A hollow dot is a run that the generator ended, so the server may do more; the line is through the others.`,
    unit: "deliveries a second",
    isLogarithmic: false,
  },
  cpu: {
    title: "CPU per delivery",
    about: () =>
      "Of the server, at the fixed rate. A hollow dot is a run in which the server waited for a core or fell behind.",
    unit: "CPU",
    isLogarithmic: false,
  },
  p99: {
    title: "p99 of latency",
    about: () => "At the fixed rate. A hollow dot is a run that cannot be compared.",
    unit: "latency",
    isLogarithmic: true,
  },
} as const satisfies Record<
  FigureName,
  Pick<SweepChart, "title" | "unit" | "isLogarithmic"> & { about: (bound: string) => string }
>;

function drawFigureOf(swept: SweptDimension, name: FigureName, boundMs: number): string {
  const { dimension, turns, recommendation } = swept;
  const { title, about, unit, isLogarithmic } = CHARTS[name];
  const settings = dimension.values.map((value): SettingRuns => {
    const runs = figuresOf(name, turns[value] ?? []);
    return {
      label: value,
      isDefault: value === dimension.fallback,
      isRecommended: value === recommendation.value,
      // A line between a lower bound and a rate would mean nothing.
      median: runs.some(({ isLowerBound }) => isLowerBound) ? null : middleOf(runs),
      runs,
    };
  });
  return drawSweepChart({
    id: `${dimension.name}-${name}`,
    title,
    about: about(formatMs(boundMs)),
    setting: DIMENSIONS[dimension.name].variable,
    settings,
    unit,
    isLogarithmic,
    format: (value) => showFigure(name, value),
  });
}

/** Descriptions of marks, for the table. */
const MARK_WORDS = {
  starved: "no core for part of the window",
  behind: "server fell behind",
  generator: "generator was the bottleneck",
  lost: "deliveries or connections lost",
} as const satisfies Record<Mark, string>;

function makeRuns({ dimension, turns }: SweptDimension): string {
  const rows = dimension.values.flatMap((value) =>
    (turns[value] ?? []).map((turn, index) => [
      value,
      String(index + 1),
      ...FIGURE_NAMES.map((name) => {
        const [figure] = figuresOf(name, [turn]);
        return figure === undefined ? "none" : showFigure(name, figure.value);
      }),
      describeMarks(turn),
      turn.limit ?? "",
    ]),
  );
  return makeNumbers(
    [DIMENSIONS[dimension.name].variable, "round", "rate", "CPU", "p99", "notes", "why not more"],
    rows,
  );
}

/** Describes the marks of a turn. */
export function describeMarks({ fixedMarks, searchMarks }: Turn): string {
  return [...wordsOf(fixedMarks, "fixed rate"), ...wordsOf(searchMarks, "search")].join("; ");
}

function wordsOf(marks: readonly Mark[], where: string): readonly string[] {
  return marks.map((mark) => `${MARK_WORDS[mark]} (${where})`);
}
