/**
 * Connection numbers: shard + shards * n, unique across all threads of a shard.
 *
 *   n
 *   46      36 35                                    0
 *   +---------+---------------------------------------+
 *   | thread  | connections of that thread            |
 *   +---------+---------------------------------------+
 *     thread  how many threads the shard had before this one, counted by main
 *
 * A connection's number modulo the number of shards is its shard. While a shard is being restarted,
 * two of its threads have connections, and for a moment both threads accept new ones. Each thread
 * counts in its own range, so the threads share no counter. A range has 2^36 numbers, enough for
 * two years at a thousand connections a second. The 2,049th thread reuses the range of the first,
 * whose connections are long gone. With 64 shards all numbers stay below 2^53.
 *
 * Runs on: shard; one instance for all transports.
 */

const NUMBERS_PER_THREAD = 2 ** 36;
const RANGES = 2 ** 11;

/** The connection numbers of one thread of a shard, shared by its transports. */
export class ConnectionNumbers {
  readonly #shards: number;
  #next: number;

  /**
   * @param shards - number of shards of the node
   * @param predecessors - number of threads that this shard had before this one
   */
  constructor(shard: number, shards: number, predecessors: number) {
    this.#shards = shards;
    this.#next = shard + shards * (predecessors % RANGES) * NUMBERS_PER_THREAD;
  }

  /** The number that was taken last, or a smaller one if none was. */
  get newest(): number {
    return this.#next - this.#shards;
  }

  /** Returns the next number, which no other connection of the node has. */
  take(): number {
    const number = this.#next;
    this.#next += this.#shards;
    return number;
  }
}
