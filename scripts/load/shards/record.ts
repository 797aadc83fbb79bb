/**
 * The data of a sweep, as in `shards.json`, and a function that keeps parts of an earlier sweep.
 *
 * Runs on: the sweep's process; types, and pure functions.
 */

import type { Machine } from "../machine.ts";
import type { Measured, Recommendation } from "./recommendation.ts";

/** A dimension that was swept. */
export interface SweptDimension extends Measured {
  readonly startedAt: string;
  readonly recommendation: Recommendation;
  /** The command that repeats the measurement. */
  readonly command: string;
}

/** A sweep. */
export interface SweepRecord {
  /** Version of this format; incremented if the meaning of a field changes. */
  readonly version: 1;
  readonly machine: Machine;
  /** Scenario and options of the generator. */
  readonly load: readonly string[];
  readonly boundMs: number;
  readonly dimensions: readonly SweptDimension[];
}

/**
 * Adds the dimensions of an earlier sweep that this sweep does not have.
 *
 * @throws TypeError if their loads, bounds or machines differ, so that they cannot share a page
 */
export function keepEarlier(record: SweepRecord, earlier: SweepRecord): SweepRecord {
  for (const name of ["load", "boundMs", "machine"] as const) {
    const [own, other] = [record, earlier].map((one) => JSON.stringify(one[name]));
    if (own === other) continue;
    throw new TypeError(
      `keep needs an earlier sweep with the same ${name}, got ${own} and ${other}`,
    );
  }
  const isNew = ({ dimension }: SweptDimension): boolean =>
    record.dimensions.some((own) => own.dimension.name === dimension.name);
  const kept = earlier.dimensions.filter((dimension) => !isNew(dimension));
  return { ...record, dimensions: [...kept, ...record.dimensions] };
}
