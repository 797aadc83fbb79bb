/**
 * The ways in which recorded scenarios are replayed: the number of shards, and the coalescing window.
 *
 * Runs on: any thread. A table.
 */

/** A way to replay the scenarios. */
export interface Variant {
  /** Name of the suite. */
  readonly name: string;
  readonly shards: number;
  readonly coalesceMs: number;
}

function variant(shards: number, coalesceMs: number): Variant {
  const held = coalesceMs === 0 ? "" : `, which hold broadcasts for ${coalesceMs} ms`;
  return { name: `Phoenix, as recorded, on ${shards} of our shards${held}`, shards, coalesceMs };
}

/** All variants. */
export const VARIANTS: readonly Variant[] = [variant(1, 0), variant(2, 0), variant(2, 3)];
