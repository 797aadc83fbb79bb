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
 * A connection's number modulo the number of shards is its shard. While a shard is restarted, two of
 * its threads have connections, and for a moment both accept new ones. Each counts in a range of its
 * own, so they share nothing. A range has 2^36 numbers, enough for two years at a thousand connections
 * a second. The 2,049th thread reuses the range of the first, whose connections are long gone. With 64
 * shards all numbers are below 2^53.
 *
 * Runs on: shard; one for all transports.
 */

const NUMBERS_PER_THREAD = 2 ** 36;
const RANGES = 2 ** 11;

/** Numbers the connections of a shard's thread, whatever carries them. */
export class ConnectionNumbers {
  readonly #shards: number;
  #next: number;

  /**
   * @param shards - how many shards the node has
   * @param predecessors - how many threads this shard has had before
   */
  constructor(shard: number, shards: number, predecessors: number) {
    this.#shards = shards;
    this.#next = shard + shards * (predecessors % RANGES) * NUMBERS_PER_THREAD;
  }

  /** Returns the next number, which no other connection of the node has. */
  take(): number {
    const number = this.#next;
    this.#next += this.#shards;
    return number;
  }
}
