/**
 * The numbers of connections: shard + shards * n, never the same on two threads of one shard.
 *
 *   n
 *   46      36 35                                    0
 *   +---------+---------------------------------------+
 *   | thread  | connections of that thread            |
 *   +---------+---------------------------------------+
 *     thread  how many threads of the shard there were before, counted by main alone
 *
 * While a shard is restarted two threads of it have connections, and both take new ones for a
 * moment. So each counts in a range of its own: nothing is shared, and nothing to be in step.
 * A range is 2^36 numbers (two years at a thousand connections a second); the 2,049th thread has
 * that of the first, whose connections are long gone. With 64 shards all are below 2^53.
 *
 * Runs on: shard. Pure.
 */

const NUMBERS_PER_THREAD = 2 ** 36;
const RANGES = 2 ** 11;

/** Gives the number of a thread's first connection. */
export function firstConnectionNumber(shard: number, shards: number, predecessors: number): number {
  return shard + shards * (predecessors % RANGES) * NUMBERS_PER_THREAD;
}
