/**
 * Limits the connections of a shard that have not joined a channel.
 *
 * Below the limit, a connection may stay without a channel as long as it likes, as in Phoenix. Above it, those that
 * have been open for longer than the time limit are closed, the oldest first.
 *
 * How long a connection has been open is known from its number, since numbers increase: for each tick within the time
 * limit, the watch remembers the number of the newest connection. So it takes no memory per connection.
 *
 * Runs on: shard.
 */

/** A connection, as seen by the limit. */
export interface JoiningConnection {
  readonly id: number;
  readonly socket: { readonly hasJoined: boolean } | undefined;
}

/** The limit of one shard. */
export class UnjoinedConnections<C extends JoiningConnection> {
  readonly #connections: Iterable<C> & { readonly size: number };
  readonly #max: number;
  /** Numbers of the newest connections at the last ticks, the oldest first. */
  readonly #newest: number[] = [];
  readonly #ticks: number;

  /**
   * @param connections - in the order in which they were opened
   * @param max - limit of this shard
   * @param ticks - how many ticks a connection may take to join
   */
  constructor(connections: Iterable<C> & { readonly size: number }, max: number, ticks: number) {
    this.#connections = connections;
    this.#max = max;
    this.#ticks = ticks;
  }

  /**
   * Returns the connections that must be closed. Called once for each tick. Only looks at the connections if there
   * are more of them than may be without a channel.
   *
   * @param newest - number of the newest connection
   */
  excess(newest: number): C[] {
    this.#newest.push(newest);
    if (this.#newest.length <= this.#ticks) return [];
    const late = this.#newest.shift() as number;
    if (this.#connections.size <= this.#max) return [];
    const unjoined = [...this.#connections].filter(({ socket }) => socket?.hasJoined === false);
    const excess = unjoined.length - this.#max;
    return excess <= 0 ? [] : unjoined.slice(0, excess).filter(({ id }) => id <= late);
  }
}
