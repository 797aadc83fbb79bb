/**
 * The data of a sweep, as in `shards.json`, and a function that keeps parts of an earlier sweep.
 *
 * Runs on: the sweep's process; types, and pure functions.
 */

import type { Machine } from "../machine.ts";
import type { CostRecord } from "./cost.ts";
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
  /** What a delivery costs over shards; null if it was not measured. Sweeps before it existed lack it. */
  readonly cost?: CostRecord | null;
}

/**
 * Adds what an earlier sweep measured and this one did not.
 *
 * @throws TypeError if their machines, loads or bounds differ, so that they cannot share a page
 */
export function keepEarlier(record: SweepRecord, earlier: SweepRecord): SweepRecord {
  checkSame("machine", record, earlier);
  // The load and the bound are those of the dimensions; the cost has a load of its own.
  if (record.dimensions.length > 0 && earlier.dimensions.length > 0) {
    checkSame("load", record, earlier);
    checkSame("boundMs", record, earlier);
  }
  const { load, boundMs } = record.dimensions.length > 0 ? record : earlier;
  const isNew = ({ dimension }: SweptDimension): boolean =>
    record.dimensions.some((own) => own.dimension.name === dimension.name);
  const kept = earlier.dimensions.filter((dimension) => !isNew(dimension));
  return {
    ...record,
    load,
    boundMs,
    dimensions: [...kept, ...record.dimensions],
    cost: record.cost ?? earlier.cost ?? null,
  };
}

function checkSame(
  name: "machine" | "load" | "boundMs",
  record: SweepRecord,
  earlier: SweepRecord,
): void {
  const [own, other] = [record, earlier].map((one) => JSON.stringify(one[name]));
  if (own === other) return;
  throw new TypeError(`keep needs an earlier sweep with the same ${name}, got ${own} and ${other}`);
}
