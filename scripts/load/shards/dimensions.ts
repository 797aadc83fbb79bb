/**
 * The dimensions of a sweep: one option each, while all other options have their defaults.
 *
 * Runs on: the sweep's process. A table.
 */

import { OPTIONS } from "../../../src/options/options.ts";
import { availableCpus } from "../../../src/server/cpu-quota.ts";

interface DimensionRow {
  /** Name of the option in the table of options. */
  readonly option: "shards" | "coalesceMs" | "ringBytes";
  readonly variable: string;
  readonly title: string;
  /** Values to try, normally and for `--quick`. */
  readonly values: readonly string[];
  readonly quick: readonly string[];
  /** Returns the default of the option. */
  readonly fallback: () => string;
}

/** The dimensions by their names in `--only`. */
export const DIMENSIONS = {
  shards: {
    option: "shards",
    variable: "SIMURGH_SHARDS",
    title: "Shards",
    values: ["1", "2", "4", "8"],
    quick: ["1", "2", "4"],
    fallback: () => String(availableCpus()),
  },
  coalesce: {
    option: "coalesceMs",
    variable: "SIMURGH_COALESCE_MS",
    title: "Coalescing window, in milliseconds",
    values: ["0", "2", "5", "10"],
    quick: ["0", "5", "10"],
    fallback: () => String(OPTIONS.coalesceMs.default),
  },
  ring: {
    option: "ringBytes",
    variable: "SIMURGH_RING_BYTES",
    title: "Bytes of a ring between two threads",
    values: ["auto", "16384", "65536", "4194304"],
    quick: ["auto", "16384"],
    fallback: () => OPTIONS.ringBytes.default,
  },
} as const satisfies Record<string, DimensionRow>;

/** Name of a dimension. */
export type DimensionName = keyof typeof DIMENSIONS;

/** All dimensions, in the order of measurement. */
export const DIMENSION_NAMES = Object.keys(DIMENSIONS) as readonly DimensionName[];

/** A dimension with the values to try, which include the default. */
export interface Dimension {
  readonly name: DimensionName;
  readonly values: readonly string[];
  readonly fallback: string;
}

/**
 * Returns the environment of a server with one value of a dimension and the defaults of all other
 * dimensions, regardless of the environment of this process.
 */
export function environmentOf(
  name: DimensionName,
  value: string,
): Readonly<Record<string, string>> {
  const all = DIMENSION_NAMES.map((other) => [
    DIMENSIONS[other].variable,
    other === name ? value : DIMENSIONS[other].fallback(),
  ]);
  return Object.fromEntries(all) as Record<string, string>;
}
