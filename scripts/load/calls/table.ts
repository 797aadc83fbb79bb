/**
 * Formats the table of `npm run load:calls`. Pure functions.
 *
 * Runs on: the process of `load:calls`.
 */

import { inColumns } from "../../bench/columns.ts";
import { median } from "../../bench/comparison.ts";
import type { Load, Subject } from "./loads.ts";

/** The results of one turn of a subject. */
export interface Turn {
  /** Undefined if the calls could not be counted. */
  readonly deliveriesPerSend: number | undefined;
  readonly deliveriesPerCall: number | undefined;
  readonly deliveriesPerSegment: number | undefined;
  readonly cpuUsPerDelivery: number;
  /** Undefined if the generator rejected the latencies. */
  readonly latencyP99Us: number | undefined;
  readonly isServerBehind: boolean;
  readonly isServerStarved: boolean;
}

/** All turns of a subject under a load. */
export interface Row {
  readonly load: Load;
  readonly subject: Subject;
  readonly turns: readonly Turn[];
}

const HEAD = [
  "a second each",
  "come",
  "server",
  "a send",
  "a call",
  "a segment",
  "CPU each",
  "p99",
  "",
] as const;

/** Formats the table of deliveries per call, as medians of the turns. */
export function makeCallsTable(rows: readonly Row[], tickMs: number): string {
  return inColumns([
    HEAD,
    ...rows.map(({ load, subject, turns }) => [
      String(load.perSocket),
      load.arrival === "ticks" ? `every ${tickMs} ms` : "evenly",
      subject.title,
      ...showFigures(turns),
      notesOf(turns),
    ]),
  ]);
}

function showFigures(turns: readonly Turn[]): readonly string[] {
  return [
    show(turns, ({ deliveriesPerSend }) => deliveriesPerSend, "", 2),
    show(turns, ({ deliveriesPerCall }) => deliveriesPerCall, "", 2),
    show(turns, ({ deliveriesPerSegment }) => deliveriesPerSegment, "", 2),
    show(turns, ({ cpuUsPerDelivery }) => cpuUsPerDelivery, " µs", 2),
    show(turns, ({ latencyP99Us }) => toMs(latencyP99Us), " ms", 1) || "refused",
  ];
}

function toMs(us: number | undefined): number | undefined {
  return us === undefined ? undefined : us / 1_000;
}

/** Formats the median of the turns that have a figure; empty if there are no such turns. */
function show(
  turns: readonly Turn[],
  figureOf: (turn: Turn) => number | undefined,
  unit: string,
  digits: number,
): string {
  const figures = turns.flatMap((turn) => figureOf(turn) ?? []);
  return figures.length === 0 ? "" : `${median(figures).toFixed(digits)}${unit}`;
}

function notesOf(turns: readonly Turn[]): string {
  const behind = turns.filter(({ isServerBehind }) => isServerBehind).length;
  const starved = turns.filter(({ isServerStarved }) => isServerStarved).length;
  return [
    ...(behind > 0 ? [`fell behind in ${behind} of ${turns.length}`] : []),
    ...(starved > 0 ? [`waited for a core in ${starved} of ${turns.length}`] : []),
  ].join("; ");
}
