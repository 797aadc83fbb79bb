/**
 * Formats the table of `npm run bench` and `npm run load:peers`. Pure functions.
 *
 * Runs on: the bench's process.
 */

import { inColumns } from "./columns.ts";
import { compare, type Comparison, type Round, type Spread } from "./comparison.ts";
import { SERVER_NAMES, type ServerName } from "./servers.ts";
import { FIGURES, WORKS, type Figure, type Work, type WorkName } from "./works.ts";

/** The rounds of each workload that has run. */
export type Results = { readonly [Name in WorkName]?: readonly Round[] };

/** Servers that could not be measured, each with a line that states the reason. */
export type Absences = { readonly [Name in ServerName]?: string };

const HEAD = ["work", "server", "figure", "to bare", "min – max", "p99", "to bare", "budget", ""];

/** Formats the table with one row for each workload and server. */
export function makeTable(results: Results, absences: Absences = {}): string {
  const rows: (readonly string[])[] = [HEAD];
  for (const [name, rounds] of Object.entries(results)) {
    const work: Work = WORKS[name as WorkName];
    for (const server of SERVER_NAMES) {
      const comparison = compare(work, server, rounds, roundsBeside(work, results));
      const absence = absences[server];
      if (comparison !== undefined) {
        rows.push(makeRow(work, server, comparison, compareLatency(work, server, rounds)));
      } else if (absence !== undefined) {
        rows.push([work.title, server, ...HEAD.slice(3).map(() => ""), absence]);
      }
    }
  }
  return inColumns(rows);
}

/**
 * Compares the 99th percentiles of latency, shown beside another figure. Returns undefined if the
 * percentile is the figure itself, or if the workload only opens connections.
 */
export function compareLatency(
  work: Work,
  server: ServerName,
  rounds: readonly Round[],
): Comparison | undefined {
  if (work.figure === "latencyP99Us" || !work.hasDuration) return undefined;
  return compare({ ...work, figure: "latencyP99Us" }, server, rounds);
}

/**
 * Returns the rounds of the workload `beside` a workload; empty if there is no such workload or it
 * was not run.
 */
export function roundsBeside({ beside }: Work, results: Results): readonly Round[] {
  return beside === undefined ? [] : (results[beside as WorkName] ?? []);
}

/** Formats a figure with its unit, or `refused` if the generator rejected it. */
export function showFigure(kind: Figure, figure: number | undefined): string {
  const { unit, digits } = FIGURES[kind];
  return figure === undefined ? "refused" : `${figure.toFixed(digits)} ${unit}`;
}

function makeRow(
  work: Work,
  server: ServerName,
  comparison: Comparison,
  latency: Comparison | undefined,
): readonly string[] {
  const { figure, relation } = comparison;
  const hasBudget = server === "simurgh" && relation !== undefined && work.budget !== undefined;
  return [
    work.title,
    server,
    showFigure(work.figure, figure),
    relation === undefined ? "" : showRelation(work.figure, relation.median),
    relation === undefined ? "" : showRange(work.figure, relation),
    latency === undefined ? "" : showFigure("latencyP99Us", latency.figure),
    latency?.relation === undefined ? "" : showRelation("latencyP99Us", latency.relation.median),
    hasBudget ? showRelation(work.figure, work.budget) : "",
    [
      ...(hasBudget ? [relation.median <= work.budget ? "within" : "OVER"] : []),
      ...notesOf(work, comparison),
    ].join("; "),
  ];
}

/** Returns remarks for the reader of the figures. */
function notesOf(work: Work, comparison: Comparison): readonly string[] {
  const { toWithout, deaf, refused, behind, starved } = comparison;
  const notes: string[] = [];
  if (toWithout !== undefined) {
    const [own, range] = [
      showRelation(work.figure, toWithout.median),
      showRange(work.figure, toWithout),
    ];
    notes.push(`${own} its own figure without them (${range})`);
  }
  if (deaf !== undefined) notes.push(`cut ${showCounts(deaf.closed)} of ${deaf.count}`);
  if (refused > 0) notes.push(`generator was the bottleneck in ${refused} of the rounds`);
  if (behind > 0) notes.push(`fell behind in ${behind} of the rounds`);
  if (starved > 0) notes.push(`waited for a core in ${starved} of the rounds`);
  return notes;
}

function showCounts({ min, max }: Spread): string {
  return min === max ? String(min) : `${min} – ${max}`;
}

function showRange(kind: Figure, { min, max }: Spread): string {
  return `${showRelation(kind, min)} – ${showRelation(kind, max)}`;
}

function showRelation(kind: Figure, relation: number): string {
  const { unit, digits, relation: form } = FIGURES[kind];
  if (form === "ratio") return `${relation.toFixed(2)}×`;
  return `${relation < 0 ? "−" : "+"}${Math.abs(relation).toFixed(digits)} ${unit}`;
}
