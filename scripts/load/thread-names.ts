/**
 * Names the threads of a server, and computes the CPU use of each thread between two readings.
 *
 * Runs on: the load test's process. Pure functions.
 */

import type { ThreadCpu } from "./threads.ts";

/** CPU by thread name, as shares of one core. */
export type CpuShares = Readonly<Record<string, number>>;

/** The name for all threads other than the main thread and shards. */
export const OTHER_THREADS = "other threads";

/** Names that Simurgh gives its workers. The system truncates them to 15 characters. */
const SHARD_NAME = /^simurgh shard \d+/;

/**
 * Names each thread, using the shards' thread ids if the server reports them, and otherwise the
 * names that the system shows. If there is no name either, a thread is named by its id.
 *
 * @param pid - id of the process, and of its main thread
 * @param shardIds - ids of the shards' threads by index; undefined if the server does not report them
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
 * Returns the share of a core that each name used between two readings. The whole CPU use of a new
 * thread counts; the use of a thread that has ended since the first reading is unknown.
 *
 * @param elapsedNs - time between the readings
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

/** Returns the sum of all threads. */
export function sumOf(shares: CpuShares): number {
  return Object.values(shares).reduce((sum, share) => sum + share, 0);
}
