/**
 * What each shard knows only of itself: its memory outside the heap, and its open handles. Each shard
 * writes it into words of its own once a second.
 *
 *   shard 0                      shard 1
 *   +-----------+-----------+    +-----------+-----------+
 *   | external  | handles   |    | external  | handles   |   Float64 each, written by that shard
 *   +-----------+-----------+    +-----------+-----------+
 *
 * Runs on: `makeProbe` and `readProbe` on main, `startProbe` on each shard.
 */

const MAX_SHARDS = 64;
const WORDS = 2;
const EVERY_MS = 1_000;

/** Shared words of all shards, passed to them as `data` of `serve`. */
export interface Probe {
  readonly probe: SharedArrayBuffer;
}

/** The figures of a shard. */
export interface Probed {
  /** Bytes outside the heap, including array buffers. */
  readonly externalBytes: number;
  /** Resources that keep the event loop alive. */
  readonly handles: number;
}

export function makeProbe(): Probe {
  const bytes = MAX_SHARDS * WORDS * Float64Array.BYTES_PER_ELEMENT;
  return { probe: new SharedArrayBuffer(bytes) };
}

/** Begins to write the figures of this shard. */
export function startProbe(shard: number, { probe }: Probe): void {
  const words = new Float64Array(probe, shard * WORDS * Float64Array.BYTES_PER_ELEMENT, WORDS);
  const write = (): void => {
    words[0] = process.memoryUsage().external;
    words[1] = process.getActiveResourcesInfo().length;
  };
  write();
  setInterval(write, EVERY_MS).unref();
}

/** Reads the figures of all shards. */
export function readProbe({ probe }: Probe, shards: number): readonly Probed[] {
  const words = new Float64Array(probe);
  return Array.from({ length: shards }, (_none, shard) => ({
    externalBytes: words[shard * WORDS] ?? 0,
    handles: words[shard * WORDS + 1] ?? 0,
  }));
}
