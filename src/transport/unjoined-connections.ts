/**
 * Limits the connections of a shard that have not joined a channel, whatever their transport.
 *
 * Below the limit, a connection may stay without a channel as long as it likes, as in Phoenix. Above it, those that
 * have been open for longer than the time limit are closed, the oldest first.
 *
 * How long a connection has been open is known from its number, since numbers increase: for each tick within the time
 * limit, the watch remembers the number of the newest connection. So it takes no memory per connection.
 *
 * Runs on: shard; one instance for all transports.
 */

import { COUNTER } from "../memory/counters-layout.ts";
import { CLOSE } from "../protocol/reserved.ts";
import type { ServedSocket } from "../socket/served-socket.ts";
import type { Transport, TransportShard } from "./transport.ts";

/** A socket, as seen by the limit. */
export type JoiningSocket = Pick<ServedSocket, "hasJoined" | "end"> & {
  readonly connection: Pick<ServedSocket["connection"], "id">;
};

/** A transport, as seen by the limit. */
export interface JoiningSockets {
  /** The number of open connections. */
  readonly size: number;
  sockets(): Iterable<JoiningSocket>;
}

/** The parts of a shard that the limit uses. */
type LimitedShard = Pick<TransportShard, "counters" | "logger" | "numbers" | "options" | "sweep">;

/** The connections without a channel. */
export class UnjoinedConnections {
  readonly #transports: readonly JoiningSockets[];
  readonly #max: number;
  /** Numbers of the newest connections at the last ticks, the oldest first. */
  readonly #newest: number[] = [];
  readonly #ticks: number;

  /**
   * @param max - limit of this shard
   * @param ticks - how many ticks a connection may take to join
   */
  constructor(transports: readonly JoiningSockets[], max: number, ticks: number) {
    this.#transports = transports;
    this.#max = max;
    this.#ticks = ticks;
  }

  /**
   * Returns the sockets that must be closed. Called once for each tick. Only looks at the connections if there are more
   * of them than may be without a channel.
   *
   * @param newest - number of the newest connection
   */
  excess(newest: number): JoiningSocket[] {
    this.#newest.push(newest);
    if (this.#newest.length <= this.#ticks) return [];
    const late = this.#newest.shift() as number;
    const size = this.#transports.reduce((sum, transport) => sum + transport.size, 0);
    if (size <= this.#max) return [];
    const unjoined = this.#transports.flatMap((transport) =>
      [...transport.sockets()].filter(({ hasJoined }) => !hasJoined),
    );
    const excess = unjoined.length - this.#max;
    if (excess <= 0) return [];
    unjoined.sort((a, b) => a.connection.id - b.connection.id);
    return unjoined.slice(0, excess).filter(({ connection }) => connection.id <= late);
  }
}

/** Enforces the limit in a shard. */
export function limitUnjoined(shard: LimitedShard, transports: readonly Transport[]): void {
  const { counters, logger, numbers, sweep } = shard;
  const { maxUnjoinedConnections, unjoinedTimeoutMs, shards } = shard.options;
  const unjoined = new UnjoinedConnections(
    transports,
    Math.ceil(maxUnjoinedConnections / shards),
    Math.ceil(unjoinedTimeoutMs / sweep.tickMs),
  );
  sweep.add(() => {
    const excess = unjoined.excess(numbers.newest);
    if (excess.length === 0) return;
    counters.add(COUNTER.unjoinedClosed, excess.length);
    logger.log("unjoinedClosed", { connections: excess.length, maxUnjoinedConnections });
    for (const socket of excess) socket.end(CLOSE.policyViolation, { shutdown: "closed" });
  });
}
