/**
 * The open connections of one transport, and what all transports do with theirs.
 *
 * A transport makes its connections and carries their frames. The set numbers, counts and lists them,
 * finds the slow ones, and ends them in a drain.
 *
 * Runs on: shard; one for each transport.
 * Owns: the set of open connections, and the shard's counters of connections and frames.
 */

import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { CLOSE } from "../protocol/reserved.ts";
import type { ServedSocket } from "../socket/served-socket.ts";
import type { ConnectionNumbers } from "./connection-numbers.ts";
import { Drain, type DrainCounts, type DrainPace } from "./drain.ts";
import { roomWithin, SlowClients, type SlowConnection } from "./slow-clients.ts";

/** What the connections of a shard have in common, whatever carries them. */
export interface SharedByConnections {
  readonly counters: Counters;
  readonly logger: Logger;
  readonly numbers: ConnectionNumbers;
  readonly options: Pick<ResolvedOptions, "maxBackpressureBytes" | "slowClientMs">;
  /** Reports whether the node drains: then no shard accepts connections. */
  readonly isNodeDrained: () => boolean;
}

/** All open connections of a transport. */
export class ConnectionSet<C extends SlowConnection> {
  readonly slowClients: SlowClients<C>;
  readonly logger: Logger;
  /** Beyond this much that waits (bytes) a client may be slow. */
  readonly maxBackpressureBytes: number;
  /** While less than this waits (bytes), a connection has room. */
  readonly roomBytes: number;
  readonly #open = new Set<C>();
  readonly #counters: Counters;
  readonly #numbers: ConnectionNumbers;
  readonly #isNodeDrained: () => boolean;
  readonly #drain: Drain<C>;
  #isClosing = false;

  /** @param transport - its name, for telemetry */
  constructor(transport: string, shared: SharedByConnections) {
    const { counters, logger, numbers, options, isNodeDrained } = shared;
    this.logger = logger;
    this.maxBackpressureBytes = options.maxBackpressureBytes;
    this.roomBytes = roomWithin(options.maxBackpressureBytes);
    this.#counters = counters;
    this.#numbers = numbers;
    this.#isNodeDrained = isNodeDrained;
    this.slowClients = new SlowClients(this.#open, options, counters, logger);
    this.#drain = new Drain(transport, this.#open, {
      restart: (connection) => this.restart(connection),
      cut: (connection) => connection.cut(),
    });
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /** True once connections are ended, here or on the whole node: none is to be accepted. */
  get isDraining(): boolean {
    return this.#isClosing || this.#isNodeDrained();
  }

  [Symbol.iterator](): IterableIterator<C> {
    return this.#open.values();
  }

  /**
   * Goes through the sockets of all connections, in the order in which they were opened.
   *
   * @yields each socket
   */
  *sockets(): Iterable<ServedSocket> {
    for (const { socket } of this.#open) if (socket) yield socket;
  }

  /** Returns the number of the next connection. */
  takeNumber(): number {
    return this.#numbers.take();
  }

  /** Adds a connection that was opened. */
  add(connection: C): void {
    this.#open.add(connection);
    this.#counters.add(COUNTER.connections, 1);
  }

  /** Removes a connection that ended. */
  remove(connection: C): void {
    this.#open.delete(connection);
    this.slowClients.forget(connection);
    this.#counters.add(COUNTER.connections, -1);
    this.#drain.closed(connection);
  }

  /** Counts a frame of a client (bytes, or UTF-16 units of text that is received as such). */
  received(length: number): void {
    this.#counters.add(COUNTER.framesIn, 1);
    this.#counters.add(COUNTER.bytesIn, length);
  }

  /** Counts a frame that was sent to one connection (bytes, or UTF-16 units of text). */
  sent(length: number): void {
    this.#counters.add(COUNTER.framesOut, 1);
    this.#counters.add(COUNTER.bytesOut, length);
    this.slowClients.sent(length);
  }

  /** Counts a frame that the engine publishes to so many connections. */
  published(receivers: number, bytes: number): void {
    this.#counters.add(COUNTER.framesOut, receivers);
    this.#counters.add(COUNTER.bytesOut, receivers * bytes);
    this.slowClients.published(bytes);
  }

  /** Notes that a client has taken some of what waited for it: a drain may have been waiting. */
  taken(connection: C): void {
    this.#drain.taken(connection);
  }

  /** Ends a connection with the code that tells its client to come back. */
  restart({ socket }: C): void {
    socket?.end(CLOSE.restart, { shutdown: "draining" });
  }

  /** Ends all connections in batches; resolves when none is left. Called again, it changes the pace. */
  async drain(pace: DrainPace): Promise<DrainCounts> {
    // First: a client that is told to come back must not come back here.
    this.#isClosing = true;
    return this.#drain.run(pace);
  }

  /** Ends all connections at once. Clients that have taken everything are told to come back. */
  cut(): void {
    this.#isClosing = true;
    this.#drain.endAll();
  }
}
