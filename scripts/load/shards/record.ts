/**
 * A sweep as `shards.json` has it, and how an earlier one is taken along.
 *
 * Runs on: the sweep's process; types, and pure functions.
 */

import type { Machine } from "../machine.ts";
import type { Measured, Recommendation } from "./recommendation.ts";

/** A dimension that was swept. */
export interface SweptDimension extends Measured {
  readonly startedAt: string;
  readonly recommendation: Recommendation;
  /** What makes it again. */
  readonly command: string;
}

/** A sweep. */
export interface SweepRecord {
  /** Of this form; it goes up where what is here changes its meaning. */
  readonly version: 1;
  readonly machine: Machine;
  /** Scenario and options of the generator. */
  readonly load: readonly string[];
  readonly boundMs: number;
  readonly dimensions: readonly SweptDimension[];
}

/**
 * Takes along what an earlier sweep has of dimensions that this one has not.
 *
 * @throws TypeError where the two had different loads, bounds or machines: no figures of one page
 */
export function keepEarlier(record: SweepRecord, earlier: SweepRecord): SweepRecord {
  for (const name of ["load", "boundMs", "machine"] as const) {
    const [own, other] = [record, earlier].map((one) => JSON.stringify(one[name]));
    if (own === other) continue;
    throw new TypeError(`keep must have sweeps of one ${name}, got ${own} and ${other}`);
  }
  const isNew = ({ dimension }: SweptDimension): boolean =>
    record.dimensions.some((own) => own.dimension.name === dimension.name);
  const kept = earlier.dimensions.filter((dimension) => !isNew(dimension));
  return { ...record, dimensions: [...kept, ...record.dimensions] };
}
