/**
 * Numbers the connections of a shard, whatever carries them.
 *
 * Runs on: shard; one for each.
 * Owns: the numbers: shard + shards * n, so that a connection's number modulo the number of shards
 *       is its shard. Main gives each thread of a shard another n to begin with, so that two
 *       threads of one shard never give the same number.
 */

/** Gives out numbers, each once. */
export class ConnectionNumbering {
  readonly #step: number;
  #next: number;

  /** @param step - from one number to the next */
  constructor(first: number, step: number) {
    this.#next = first;
    this.#step = step;
  }

  take(): number {
    const number = this.#next;
    this.#next += this.#step;
    return number;
  }
}
