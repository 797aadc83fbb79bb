/**
 * Which thread of a server is which, and what each used between two readings.
 *
 * Runs on: the load test's process. Pure functions.
 */

import type { ThreadCpu } from "./threads.ts";

/** CPU by name of thread, as shares of one core. */
export type CpuShares = Readonly<Record<string, number>>;

/** The name under which all threads go that are neither main's nor a shard's. */
export const OTHER_THREADS = "other threads";

/** Names that Simurgh gives its workers; a system cuts them off after 15 characters. */
const SHARD_NAME = /^simurgh shard \d+/;

/**
 * Gives the name of each thread: from the ids that the server tells for its shards; without these
 * from the names that the system shows, and where it shows none, each by its id.
 *
 * @param pid - id of the process, which is that of its main thread
 * @param shardIds - ids of the shards' threads by their index; undefined: the server does not tell
 */
export function nameThreads(
  pid: number,
  threads: ReadonlyMap<number, ThreadCpu>,
  shardIds: readonly number[] | undefined,
): ReadonlyMap<number, string> {
  const isNamed = [...threads.values()].some(({ name }) => SHARD_NAME.test(name));
  const nameOf = (id: number, { name }: ThreadCpu): string => {
    if (id === pid) return "main thread";
    const shard = shardIds?.indexOf(id) ?? -1;
    if (shard >= 0) return `shard ${shard}`;
    if (shardIds === undefined && SHARD_NAME.test(name)) return name.slice("simurgh ".length);
    return shardIds === undefined && !isNamed ? `thread ${id}` : OTHER_THREADS;
  };
  return new Map([...threads].map(([id, thread]) => [id, nameOf(id, thread)]));
}

/**
 * Gives what each name used of a core, between two readings. A thread that is new has used all that it
 * has; what one that has ended used since the first is not known.
 *
 * @param elapsedNs - between the two
 */
export function cpuBetween(
  before: ReadonlyMap<number, ThreadCpu>,
  after: ReadonlyMap<number, ThreadCpu>,
  names: ReadonlyMap<number, string>,
  elapsedNs: number,
): CpuShares {
  const shares: Record<string, number> = {};
  for (const [id, { ranNs }] of after) {
    const name = names.get(id) ?? OTHER_THREADS;
    const used = ranNs - (before.get(id)?.ranNs ?? 0);
    shares[name] = (shares[name] ?? 0) + used / elapsedNs;
  }
  return shares;
}

/** All threads together. */
export function sumOf(shares: CpuShares): number {
  return Object.values(shares).reduce((sum, share) => sum + share, 0);
}
