/**
 * Plans the order of a sweep's turns, and estimates the remaining time. Pure functions.
 *
 * Runs on: the sweep's process.
 */

import type { Dimension } from "./dimensions.ts";

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

/** Describes the progress of a sweep, and estimates the remaining time from its turns so far. */
export function describeLeft(done: number, all: number, elapsedMs: number): string {
  const share = `${Math.round((done / all) * 100)} %`;
  if (done === 0) return share;
  const leftMs = (elapsedMs / done) * (all - done);
  return done === all ? share : `${share}, about ${describeTime(leftMs)} left`;
}

function describeTime(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
