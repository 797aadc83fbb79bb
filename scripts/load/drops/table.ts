/**
 * The table of `npm run load:drops`.
 *
 * Runs on: the process of `load:drops`. Pure functions.
 */

import { inColumns } from "../../bench/columns.ts";
import { describeLoad, SCENARIO_WORDS, showShare, type Figures } from "./figures.ts";
import { SERVERS } from "./servers/servers.ts";

/** Headings of the table's columns. */
export const HEAD = [
  "scenario",
  "load",
  "server",
  "delivered",
  "missing",
  "doubled",
  "disordered",
  "told",
  "returns",
  "p50",
  "p99",
  "max",
  "",
] as const;

/** Clients that are later than this make recovery look slower than it is. */
const LATE_MS = 50;

/** Returns the cells of a row. */
export function cellsOf(figures: Figures): readonly string[] {
  const { scenario, load, server, expected, delivered, recovery, latenessMs } = figures;
  const { doubled, disordered, told, returns } = figures;
  const times = recovery === null ? [] : [recovery.p50Ms, recovery.p99Ms, recovery.maxMs];
  return [
    SCENARIO_WORDS[scenario],
    describeLoad(load),
    SERVERS[server].title,
    showShare(delivered / expected),
    ...[expected - delivered, doubled, disordered, told, returns].map(String),
    ...(recovery === null ? ["–", "–", "–"] : times.map((ms) => `${ms.toFixed(1)} ms`)),
    latenessMs > LATE_MS ? `clients were ${latenessMs.toFixed(0)} ms late` : "",
  ];
}

/** Formats the table. */
export function makeDropsTable(rows: readonly Figures[]): string {
  return inColumns([HEAD, ...rows.map((figures) => cellsOf(figures))]);
}
