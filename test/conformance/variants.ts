/**
 * How the recorded scenarios are played: on how many shards, and with which coalescing.
 *
 * Runs on: any thread. A table.
 */

/** One way in which each scenario is played. */
export interface Variant {
  /** Of the suite of all scenarios. */
  readonly name: string;
  readonly shards: number;
  readonly coalesceMs: number;
}

function variant(shards: number, coalesceMs: number): Variant {
  const held = coalesceMs === 0 ? "" : `, which hold broadcasts for ${coalesceMs} ms`;
  return { name: `Phoenix, as recorded, on ${shards} of our shards${held}`, shards, coalesceMs };
}

/** All of them. */
export const VARIANTS: readonly Variant[] = [variant(1, 0), variant(2, 0), variant(2, 3)];
