/**
 * Plans the order of a sweep's turns, and estimates their time. Pure functions.
 *
 * Runs on: the sweep's process.
 */

import type { Dimension } from "./dimensions.ts";
import type { SweepOptions } from "./options.ts";

/** One planned measurement of a setting. */
export interface PlannedTurn {
  readonly dimension: Dimension;
  readonly value: string;
  /** Number of the round, from 1. */
  readonly round: number;
}

/**
 * Orders the turns. Each round has a turn for every setting of a dimension, alternately in ascending and
 * descending order, so that a machine that becomes slower favours none of them.
 */
export function planTurns(
  dimensions: readonly Dimension[],
  rounds: number,
): readonly PlannedTurn[] {
  return dimensions.flatMap((dimension) =>
    Array.from({ length: rounds }, (_, index) => index + 1).flatMap((round) => {
      const values = inOrderOf(round, dimension.values);
      return values.map((value) => ({ dimension, value, round }));
    }),
  );
}

/** One planned measurement of the cost of a delivery. */
export interface PlannedCost {
  /** Number of shards; null for the bare engine. */
  readonly shards: number | null;
  /** Deliveries per second. */
  readonly rate: number;
  /** Number of the round, from 1. */
  readonly round: number;
}

/**
 * Orders the measurements of the cost of a delivery. In each round, all servers of a rate take their turns one after
 * the other, because they are compared with each other, in alternating order.
 */
export function planCosts(
  { shards, rates }: { readonly shards: readonly number[]; readonly rates: readonly number[] },
  rounds: number,
): readonly PlannedCost[] {
  return Array.from({ length: rounds }, (_, index) => index + 1).flatMap((round) =>
    rates.flatMap((rate) =>
      inOrderOf(round, [null, ...shards]).map((count) => ({ shards: count, rate, round })),
    ),
  );
}

function inOrderOf<Value>(round: number, values: readonly Value[]): readonly Value[] {
  return round % 2 === 1 ? values : values.toReversed();
}

/** Time to start and stop a server, to connect, and to warm up (s). */
const TURN_SECONDS = 4;
/** Number of rates that a search tries, and the time of each besides its window (s). */
const SEARCHED = 10;
const SEARCHED_SECONDS = 0.6;
const COST_SECONDS = 6;

/** Estimates the time of a sweep (s). */
export function secondsOf({ dimensions, cost, rounds, seconds, searchMs }: SweepOptions): number {
  const turns = planTurns(dimensions, rounds).length;
  const search = SEARCHED * (searchMs / 1_000 + SEARCHED_SECONDS);
  const costs = cost === undefined ? 0 : planCosts(cost, rounds).length;
  return turns * (TURN_SECONDS + seconds + search) + costs * (COST_SECONDS + seconds);
}
