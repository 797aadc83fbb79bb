/**
 * The ways in which recorded scenarios are replayed: the number of shards, and the coalescing window.
 *
 * Runs on: any thread. A table.
 */

/** A way to replay the scenarios. */
export interface Variant {
  /** Name of the suite. */
  readonly name: string;
  /** The test file that replays it. */
  readonly file: string;
  readonly shards: number;
  readonly coalesceMs: number;
}

function variant(file: string, shards: number, coalesceMs: number): Variant {
  const held = coalesceMs === 0 ? "" : `, which hold broadcasts for ${coalesceMs} ms`;
  const name = `Phoenix, as recorded, on ${shards} of our shards${held}`;
  return { name, file: `test/conformance/${file}.test.ts`, shards, coalesceMs };
}

/** All variants. */
export const VARIANTS = {
  oneShard: variant("one-shard", 1, 0),
  twoShards: variant("two-shards", 2, 0),
  twoShardsHeld: variant("two-shards-held", 2, 3),
} as const satisfies Readonly<Record<string, Variant>>;
