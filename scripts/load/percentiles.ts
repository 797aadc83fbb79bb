/**
 * A distribution in HdrHistogram's text format, as written by `native-bench --hgrm`.
 *
 *        Value     Percentile TotalCount 1/(1-Percentile)
 *
 *        0.102 0.000000000000          1           1.00
 *        0.163 0.500000000000       5012           2.00
 *        9.871 1.000000000000      10000
 *   #[Mean    =        0.204, StdDeviation   =        0.310]
 *
 * Runs on: the load test's process. Pure functions.
 */

/** A point of a distribution: a value, and the share of samples that do not exceed it. */
export interface PercentilePoint {
  /** The quantile, from 0 to 1. */
  readonly quantile: number;
  readonly ms: number;
  /** Number of samples up to the value. */
  readonly count: number;
}

/** Parses a distribution; empty if the text has no rows. */
export function readPercentiles(text: string): readonly PercentilePoint[] {
  return text.split("\n").flatMap((line) => {
    const [ms, quantile, count] = line.trim().split(/\s+/).map(Number);
    if (ms === undefined || quantile === undefined || count === undefined) return [];
    return [ms, quantile, count].every((number) => Number.isFinite(number))
      ? [{ quantile, ms, count }]
      : [];
  });
}
