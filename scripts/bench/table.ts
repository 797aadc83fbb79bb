/**
 * The table that `npm run bench` prints. Pure functions.
 *
 * Runs on: the bench's process.
 */

import { compare, type Comparison, type Round } from "./comparison.ts";
import { SERVER_NAMES, type ServerName } from "./servers.ts";
import { WORKS, type Work, type WorkName } from "./works.ts";

/** The rounds of each work that was run. */
export type Results = { readonly [Name in WorkName]?: readonly Round[] };

const HEAD = ["work", "server", "figure", "to bare", "min – max", "budget", ""] as const;

/** Draws the table: for each work one row for each server. */
export function makeTable(results: Results): string {
  const rows: (readonly string[])[] = [HEAD];
  for (const [name, rounds] of Object.entries(results)) {
    const work: Work = WORKS[name as WorkName];
    for (const server of SERVER_NAMES) {
      const comparison = compare(work, server, rounds);
      if (comparison !== undefined) rows.push(makeRow(work, server, comparison));
    }
  }
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

function makeRow(work: Work, server: ServerName, comparison: Comparison): readonly string[] {
  const { figure, relation, behind, starved } = comparison;
  const hasBudget = server === "simurgh" && relation !== undefined;
  const notes: string[] = [];
  if (hasBudget) notes.push(relation.median <= work.budget ? "within" : "OVER");
  if (behind > 0) notes.push(`fell behind in ${behind} of the rounds`);
  if (starved > 0) notes.push(`waited for a core in ${starved} of the rounds`);
  return [
    work.title,
    server,
    work.figure === "cpuUsPerMessage" ? `${figure.toFixed(2)} µs` : `${figure.toFixed(0)} B`,
    relation === undefined ? "" : showRelation(work, relation.median),
    relation === undefined
      ? ""
      : `${showRelation(work, relation.min)} – ${showRelation(work, relation.max)}`,
    hasBudget ? showRelation(work, work.budget) : "",
    notes.join("; "),
  ];
}

function showRelation(work: Work, relation: number): string {
  if (work.figure === "cpuUsPerMessage") return `${relation.toFixed(2)}×`;
  return `${relation < 0 ? "−" : "+"}${Math.abs(relation).toFixed(0)} B`;
}
