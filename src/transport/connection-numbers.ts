/**
 * Numbers the connections of a shard, whatever carries them.
 *
 * Runs on: shard; one for each.
 * Owns: the numbers: shard + shards * n, so that a connection's number modulo the number of shards
 *       is its shard.
 */

/** Gives out numbers, each once. */
export class ConnectionNumbers {
  readonly #shards: number;
  #next: number;

  constructor(shard: number, shards: number) {
    this.#next = shard;
    this.#shards = shards;
  }

  take(): number {
    const number = this.#next;
    this.#next += this.#shards;
    return number;
  }
}
