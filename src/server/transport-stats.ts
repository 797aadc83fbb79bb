/**
 * Combines the figures that custom transports measure on all shards.
 *
 * Runs on: main.
 */

/** A figure of a transport on one thread. */
export interface ThreadFigure {
  readonly transport: string;
  readonly name: string;
  readonly value: number;
}

/** A figure of a transport, which it published with `host.measure`. */
export interface TransportFigure {
  /** The sum of all shards. */
  readonly total: number;
  /**
   * The value on each shard; undefined where the transport has published none. While a shard is being restarted, the
   * sum of both of its threads.
   */
  readonly shards: readonly (number | undefined)[];
}

/** The figures of all custom transports: by transport, and by name. */
export type TransportStats = Readonly<Record<string, Readonly<Record<string, TransportFigure>>>>;

/** Combines the figures of all threads. The list has those of each thread of each shard. */
export function joinFigures(
  shards: number,
  threads: readonly { readonly shard: number; readonly figures: readonly ThreadFigure[] }[],
): TransportStats {
  const values = new Map<string, Map<string, (number | undefined)[]>>();
  for (const { shard, figures } of threads) {
    for (const { transport, name, value } of figures) {
      const byName = values.get(transport) ?? new Map<string, (number | undefined)[]>();
      values.set(transport, byName);
      const byShard = byName.get(name) ?? Array.from<undefined>({ length: shards });
      byName.set(name, byShard);
      byShard[shard] = (byShard[shard] ?? 0) + value;
    }
  }
  const joined = [...values].map(([transport, byName]) => {
    const figures = [...byName].map(([name, byShard]) => [name, figureOf(byShard)] as const);
    return [transport, Object.fromEntries(figures)] as const;
  });
  return Object.fromEntries(joined);
}

function figureOf(shards: readonly (number | undefined)[]): TransportFigure {
  return { total: shards.reduce<number>((sum, value) => sum + (value ?? 0), 0), shards };
}
