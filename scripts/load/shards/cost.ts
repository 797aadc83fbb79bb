/**
 * The cost of a delivery over the number of shards, at several rates, beside the bare engine. Pure functions.
 *
 * At a low rate, each broadcast wakes threads that sleep; at a high rate, threads are awake anyway and take
 * several messages at a time. So one rate would not describe the cost of a shard.
 *
 * Runs on: the sweep's process.
 */

import { inColumns } from "../../bench/columns.ts";
import { median } from "../../bench/comparison.ts";
import { formatCount, formatMs, formatNumber, formatUs } from "../charts/formats.ts";
import type { Mark } from "./turn.ts";

/** The numbers of shards and the rates to measure. */
export interface CostSetting {
  /** In ascending order. */
  readonly shards: readonly number[];
  /** Deliveries per second, in ascending order. */
  readonly rates: readonly number[];
}

const CONNECTIONS = 2_000;
const TOPICS = 100;

/** The load, without its rate: each broadcast goes to 20 members of a topic. */
export const COST_LOAD: readonly string[] = [
  "fanout",
  "--connections",
  String(CONNECTIONS),
  "--topics",
  String(TOPICS),
];

/** Returns the broadcasts per second that make a number of deliveries per second. */
export function broadcastsOf(rate: number): number {
  return Math.round((rate * TOPICS) / CONNECTIONS);
}

/** One measurement of a server at one rate. All but p99 are for each delivery. */
export interface CostTurn {
  /** CPU of the server in µs. */
  readonly cpuUs: number | null;
  /** Context switches of a thread that waited for something. */
  readonly voluntary: number | null;
  /** Context switches of a thread that could have run on. */
  readonly involuntary: number | null;
  /** System calls; null if they were not counted. */
  readonly calls: number | null;
  /** p99 of latency in µs; null if the generator rejected it. */
  readonly p99Us: number | null;
  /** Reasons why the figures cannot be compared. */
  readonly marks: readonly Mark[];
}

/** Name of a figure of a turn. */
export type CostFigure = Exclude<keyof CostTurn, "marks">;

interface CostFigureRow {
  /** Heading of the figure's column. */
  readonly head: string;
  readonly format: (value: number) => string;
}

/** The figures, in the order of the columns. */
export const COST_FIGURES = {
  cpuUs: { head: "CPU", format: formatUs },
  voluntary: { head: "voluntary switches", format: formatNumber },
  involuntary: { head: "involuntary", format: formatNumber },
  calls: { head: "system calls", format: formatNumber },
  p99Us: { head: "p99", format: (us) => formatMs(us / 1_000) },
} as const satisfies Record<CostFigure, CostFigureRow>;

/** All figures, in the order of the columns. */
export const COST_FIGURE_NAMES = Object.keys(COST_FIGURES) as readonly CostFigure[];

/** All turns of one server at one rate, and the medians of those that can be compared. */
export interface CostCell {
  /** Number of shards; null for the bare engine. */
  readonly shards: number | null;
  /** Deliveries per second. */
  readonly rate: number;
  /** Medians of the turns without a mark; of all turns if each of them has a mark. */
  readonly medians: Readonly<Record<CostFigure, number | null>>;
  /** Whether at least one turn has no mark, so that the medians can be compared. */
  readonly isSound: boolean;
  readonly turns: readonly CostTurn[];
}

/** Summarizes the turns of one server at one rate. */
export function makeCell(
  shards: number | null,
  rate: number,
  turns: readonly CostTurn[],
): CostCell {
  const sound = turns.filter(({ marks }) => marks.length === 0);
  const used = sound.length > 0 ? sound : turns;
  const medians = COST_FIGURE_NAMES.map((name) => {
    const values = used.flatMap((turn) => turn[name] ?? []);
    return [name, values.length === 0 ? null : median(values)] as const;
  });
  return {
    shards,
    rate,
    medians: Object.fromEntries(medians) as CostCell["medians"],
    isSound: sound.length > 0,
    turns,
  };
}

/** A measurement of the cost of a delivery, as in `shards.json`. */
export interface CostRecord extends CostSetting {
  /** Start time in ISO 8601. */
  readonly startedAt: string;
  /** The command that repeats the measurement. */
  readonly command: string;
  /** Scenario and options of the generator, without the rate. */
  readonly load: readonly string[];
  /** The reason why system calls were not counted; null if they were. */
  readonly whyNoCalls: string | null;
  /** One cell for each rate and server, by rate, with the bare engine first. */
  readonly cells: readonly CostCell[];
}

/** Returns the name of a server in tables. */
export function nameOf(shards: number | null): string {
  if (shards === null) return "bare engine";
  return shards === 1 ? "1 shard" : `${shards} shards`;
}

/** Returns the figures that a record has. */
export function figuresIn({ whyNoCalls }: Pick<CostRecord, "whyNoCalls">): readonly CostFigure[] {
  return COST_FIGURE_NAMES.filter((name) => name !== "calls" || whyNoCalls === null);
}

/** Returns the headings of the table. */
export function costHeads(record: Pick<CostRecord, "whyNoCalls">): readonly string[] {
  return [
    "deliveries a second",
    "server",
    ...figuresIn(record).map((name) => COST_FIGURES[name].head),
    "notes",
  ];
}

/** Returns the rows of the table: medians, in brackets if no run can be compared. */
export function costRows(record: CostRecord): readonly (readonly string[])[] {
  return record.cells.map((cell) => [
    formatCount(cell.rate),
    nameOf(cell.shards),
    ...figuresIn(record).map((name) => {
      const value = cell.medians[name];
      const text = showCost(name, value);
      return cell.isSound || value === null ? text : `(${text})`;
    }),
    describeCell(cell),
  ]);
}

/** Formats a figure. */
export function showCost(name: CostFigure, value: number | null): string {
  return value === null ? "none" : COST_FIGURES[name].format(value);
}

/** Formats the table for a terminal. */
export function makeCostTable(record: CostRecord): string {
  return inColumns([costHeads(record), ...costRows(record)]);
}

/** What limited a turn that has a mark; short, because tables show several of them in a cell. */
const MARK_WORDS = {
  generator: "generator was the bottleneck",
  behind: "server fell behind",
  starved: "no free core",
  lost: "deliveries lost",
} as const satisfies Record<Mark, string>;

/** Describes the marks of a turn; empty without marks. */
export function describeCostMarks(marks: readonly Mark[]): string {
  return marks.map((mark) => MARK_WORDS[mark]).join(", ");
}

/** Describes how many turns of a cell cannot be compared, and what limited them. */
function describeCell({ turns }: CostCell): string {
  const marked = turns.filter(({ marks }) => marks.length > 0);
  if (marked.length === 0) return "";
  const marks = (Object.keys(MARK_WORDS) as readonly Mark[]).filter((mark) =>
    marked.some((turn) => turn.marks.includes(mark)),
  );
  return `${marked.length} of ${turns.length}: ${describeCostMarks(marks)}`;
}
