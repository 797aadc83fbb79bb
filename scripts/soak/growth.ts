/**
 * Judges whether a figure grows: the slope of a line through the marks of the calm part of a run.
 *
 * Runs on: the soak's process. Pure.
 */

import type { Mark } from "./marks.ts";

/** Fewer marks would be judged by chance. */
export const MIN_MARKS = 5;

interface Watched {
  readonly name: string;
  readonly of: (mark: Mark) => number;
  /** Growth from the first to the last mark that is no leak. */
  readonly allowed: number;
  /** The same as a share of the mean. The larger of both applies. */
  readonly allowedShare: number;
  readonly unit: "MiB" | "";
}

const MIB = 2 ** 20;

/** The figures that must not grow. */
const WATCHED: readonly Watched[] = [
  {
    name: "RSS",
    of: (mark) => mark.residentBytes / MIB,
    allowed: 24,
    allowedShare: 0.1,
    unit: "MiB",
  },
  {
    name: "heaps of the shards",
    of: (mark) => sum(mark.heapBytes) / MIB,
    allowed: 6,
    allowedShare: 0.15,
    unit: "MiB",
  },
  {
    name: "external memory of the shards",
    of: (mark) => sum(mark.externalBytes) / MIB,
    allowed: 6,
    allowedShare: 0.15,
    unit: "MiB",
  },
  {
    name: "heap of main",
    of: (mark) => mark.mainHeapBytes / MIB,
    allowed: 4,
    allowedShare: 0.15,
    unit: "MiB",
  },
  { name: "handles", of: (mark) => mark.handles, allowed: 15, allowedShare: 0.1, unit: "" },
  { name: "descriptors", of: (mark) => mark.descriptors, allowed: 15, allowedShare: 0.1, unit: "" },
  {
    name: "slots of the index",
    of: (mark) => mark.indexUsed,
    allowed: 20,
    allowedShare: 0.1,
    unit: "",
  },
];

/** Returns a sentence for each figure that grows. Empty if there are too few marks. */
export function growthIn(marks: readonly Mark[]): readonly string[] {
  if (marks.length < MIN_MARKS) return [];
  return WATCHED.flatMap(({ name, of, allowed, allowedShare, unit }) => {
    const values = marks.map(of);
    const minutes = marks.map(({ minute }) => minute);
    const span = (minutes.at(-1) ?? 0) - (minutes[0] ?? 0);
    const grown = slope(minutes, values) * span;
    const mean = sum(values) / values.length;
    if (grown <= Math.max(allowed, mean * allowedShare)) return [];
    const grew = `${grown.toFixed(1)} ${unit}`.trim();
    return [
      `${name} grew by ${grew} in ${span.toFixed(0)} minutes, at a mean of ${mean.toFixed(1)}`,
    ];
  });
}

/** Returns the slope of the line with the least squares through some points. */
export function slope(xs: readonly number[], ys: readonly number[]): number {
  const [meanX, meanY] = [sum(xs) / xs.length, sum(ys) / ys.length];
  const products = xs.map((x, at) => (x - meanX) * ((ys[at] as number) - meanY));
  const squares = xs.map((x) => (x - meanX) ** 2);
  const divisor = sum(squares);
  return divisor === 0 ? 0 : sum(products) / divisor;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
