/**
 * Compares a server with the bare engine, round by round. Pure functions.
 *
 * The two are compared within a round, because the state of the machine is then about the same. The
 * figure is the median of the rounds; the minimum and maximum show how reliable it is.
 *
 * Runs on: the bench's process.
 */

import type { Measurement } from "./generator.ts";
import type { ServerName } from "./servers.ts";
import { FIGURES, type Work } from "./works.ts";

/** Measurements of one round, by server. */
export type Round = { readonly [Name in ServerName]?: Measurement };

/** A comparison of a server with the bare engine for one workload. */
export interface Comparison {
  /** Median of the server's own figure; absent if the generator rejected it in every round. */
  readonly figure?: number;
  /** Ratio or difference to the bare engine; absent for the bare engine itself. */
  readonly relation?: Spread;
  /**
   * Ratio or difference to the same server under the workload `beside` this one; absent if there is
   * no such workload.
   */
  readonly toWithout?: Spread;
  /**
   * Number of clients that did not read, and the number of them that the server closed; absent if
   * there are no such clients.
   */
  readonly deaf?: { readonly count: number; readonly closed: Spread };
  /** Number of rounds in which the generator rejected the figure. */
  readonly refused: number;
  /** Number of rounds in which the server fell behind. */
  readonly behind: number;
  /** Number of rounds in which the server waited for a core. */
  readonly starved: number;
}

/** Median, minimum and maximum of the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * Returns the median of numbers, which is the mean of the two middle numbers if their count is
 * even.
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined)
    throw new RangeError("the median needs at least one value, got none");
  return (lower + upper) / 2;
}

/**
 * Compares one server with the bare engine, and with itself under the workload `beside` this one.
 *
 * @param roundsBeside rounds of that workload, in the same order; empty if there is none
 * @returns undefined if the server was not measured
 */
export function compare(
  work: Work,
  name: ServerName,
  rounds: readonly Round[],
  roundsBeside: readonly Round[] = [],
): Comparison | undefined {
  const own = rounds.flatMap((round) => round[name] ?? []);
  if (own.length === 0) return undefined;
  const figures = own.flatMap((measurement) => measurement[work.figure] ?? []);
  const toBare = name === "bare" ? [] : relationsOf(work, rounds, name, rounds, "bare");
  const toWithout = relationsOf(work, rounds, name, roundsBeside, name);
  const deafCount = Math.max(...own.map(({ deaf }) => deaf));
  return {
    ...(figures.length > 0 && { figure: median(figures) }),
    ...(toBare.length > 0 && { relation: spreadOf(toBare) }),
    ...(toWithout.length > 0 && { toWithout: spreadOf(toWithout) }),
    ...(deafCount > 0 && {
      deaf: { count: deafCount, closed: spreadOf(own.map(({ deafClosed }) => deafClosed)) },
    }),
    refused: own.length - figures.length,
    behind: own.filter((measurement) => measurement.isServerBehind).length,
    starved: own.filter((measurement) => measurement.isServerStarved).length,
  };
}

function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Returns the relation of a server's figures to those of a baseline, for rounds that have both. */
function relationsOf(
  { figure }: Work,
  rounds: readonly Round[],
  name: ServerName,
  yardstickRounds: readonly Round[],
  yardstickName: ServerName,
): number[] {
  return rounds.flatMap((round, index) => {
    const own = round[name]?.[figure];
    const yardstick = yardstickRounds[index]?.[yardstickName]?.[figure];
    if (own === undefined || yardstick === undefined) return [];
    return FIGURES[figure].relation === "ratio" ? own / yardstick : own - yardstick;
  });
}
