/**
 * Compares a server with the bare engine, round by round. Pure functions.
 *
 * The two are compared within a round, where the machine was in one mood; the median of the
 * rounds is the figure, their least and largest say how far it can be trusted.
 *
 * Runs on: the bench's process.
 */

import type { Measurement } from "./generator.ts";
import type { ServerName } from "./servers.ts";
import type { Work } from "./works.ts";

/** Measurements of one round, by server. */
export type Round = { readonly [Name in ServerName]?: Measurement };

/** A server against the bare engine on one work. */
export interface Comparison {
  /** Median of the server's own figure. */
  readonly figure: number;
  /** Ratio (CPU) or difference (memory) to the bare engine; absent for that engine itself. */
  readonly relation?: Spread;
  /** Rounds in which the server fell behind. */
  readonly behind: number;
  /** Rounds in which the server waited for a core. */
  readonly starved: number;
}

/** Median, least and largest of the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Middle of some numbers; the mean of the two middle ones where their count is even. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new RangeError("no values, no median");
  return (lower + upper) / 2;
}

/** Compares one server with the bare engine; undefined where it was not measured. */
export function compare(
  work: Work,
  name: ServerName,
  rounds: readonly Round[],
): Comparison | undefined {
  const own = rounds.flatMap((round) => round[name] ?? []);
  if (own.length === 0) return undefined;
  const figure = median(own.map((measurement) => measurement[work.figure]));
  const behind = own.filter((measurement) => measurement.isServerBehind).length;
  const starved = own.filter((measurement) => measurement.isServerStarved).length;
  const relations = name === "bare" ? [] : relationsOf(work, name, rounds);
  if (relations.length === 0) return { figure, behind, starved };
  const relation = {
    median: median(relations),
    min: Math.min(...relations),
    max: Math.max(...relations),
  };
  return { figure, relation, behind, starved };
}

function relationsOf(work: Work, name: ServerName, rounds: readonly Round[]): number[] {
  return rounds.flatMap(({ bare, [name]: other }) => {
    if (bare === undefined || other === undefined) return [];
    const [yardstick, figure] = [bare[work.figure], other[work.figure]];
    return work.figure === "cpuUsPerMessage" ? figure / yardstick : figure - yardstick;
  });
}
