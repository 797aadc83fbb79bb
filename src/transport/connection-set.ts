/**
 * The open connections of one transport, and the work that all transports have in common.
 *
 * A transport creates its connections and carries their frames. The set numbers, counts and lists the
 * connections, finds the slow ones, and ends them in a drain.
 *
 * Runs on: shard; one instance for each transport.
 * Owns: the set of open connections, and the shard's counters of connections and frames.
 */

import type { WaitingBytes } from "../callbacks/waiting-bytes.ts";
import type { BufferVisit } from "../held-bytes.ts";
import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { CLOSE } from "../protocol/reserved.ts";
import type { ServedSocket } from "../socket/served-socket.ts";
import type { ConnectionNumbers } from "./connection-numbers.ts";
import { Drain, type DrainCounts, type DrainPace } from "./drain.ts";
import { roomWithin, SlowClients, type SlowConnection } from "./slow-clients.ts";

/** State shared by all connections of a shard, whatever their transport. */
export interface SharedByConnections {
  readonly counters: Counters;
  readonly logger: Logger;
  readonly numbers: ConnectionNumbers;
  readonly options: Pick<ResolvedOptions, "maxBackpressureBytes" | "slowClientMs">;
  /** Bytes of messages that wait for user code. */
  readonly waiting: Pick<WaitingBytes, "of">;
  /** Reports whether the whole node is draining, so that no shard accepts connections. */
  readonly isNodeDrained: () => boolean;
}

/** All open connections of a transport. */
export class ConnectionSet<C extends SlowConnection> {
  readonly slowClients: SlowClients<C>;
  readonly logger: Logger;
  /** A client with more unsent bytes than this may be slow. */
  readonly maxBackpressureBytes: number;
  /** A connection with fewer unsent bytes than this has room. */
  readonly roomBytes: number;
  readonly #open = new Set<C>();
  readonly #counters: Counters;
  readonly #numbers: ConnectionNumbers;
  readonly #isNodeDrained: () => boolean;
  readonly #waiting: SharedByConnections["waiting"];
  /** Bytes published so far, once per receiver, and bytes that were kept. */
  #publishedBytes = 0;
  /** Bytes that were held, and sent so far, when the connections were last visited. */
  #visitedBytes = 0;
  #visitedAtBytes = 0;
  readonly #drain: Drain<C>;
  #isClosing = false;

  /** @param transport - the transport's name, for telemetry */
  constructor(transport: string, shared: SharedByConnections) {
    const { counters, logger, numbers, options, isNodeDrained, waiting } = shared;
    this.#waiting = waiting;
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

  /** The number of open connections. */
  get size(): number {
    return this.#open.size;
  }

  /** True once this shard or the whole node drains: no more connections may be accepted. */
  get isDraining(): boolean {
    return this.#isClosing || this.#isNodeDrained();
  }

  [Symbol.iterator](): IterableIterator<C> {
    return this.#open.values();
  }

  /**
   * Iterates over the sockets of all connections, in the order in which they were opened.
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

  /** Adds an open connection. */
  add(connection: C): void {
    this.#open.add(connection);
    this.#counters.add(COUNTER.connections, 1);
  }

  /** Removes a connection that has ended, if it was added. */
  remove(connection: C): void {
    if (!this.#open.delete(connection)) return;
    this.slowClients.forget(connection);
    this.#counters.add(COUNTER.connections, -1);
    this.#drain.closed(connection);
  }

  /** Counts a frame from a client; the length is in bytes, or UTF-16 units if it came as a string. */
  received(length: number): void {
    this.#counters.add(COUNTER.framesIn, 1);
    this.#counters.add(COUNTER.bytesIn, length);
  }

  /** Counts a frame sent to one connection; the length is in bytes, or UTF-16 units if it is text. */
  sent(length: number): void {
    this.#counters.add(COUNTER.framesOut, 1);
    this.#counters.add(COUNTER.bytesOut, length);
    this.slowClients.sent(length);
  }

  /** Counts a frame that the engine publishes to `receivers` connections. */
  published(receivers: number, bytes: number): void {
    this.#counters.add(COUNTER.framesOut, receivers);
    this.#counters.add(COUNTER.bytesOut, receivers * bytes);
    this.slowClients.published(bytes);
    this.#publishedBytes += receivers * bytes;
  }

  /** Counts bytes from a client that are kept for a while, outside of mailboxes. */
  kept(bytes: number): void {
    this.#publishedBytes += bytes;
  }

  /**
   * Bytes that are held at most: those found by the last visit, and all that were sent since. Messages that wait for
   * user code are not included: `WaitingBytes` reports those of all transports.
   */
  get maxHeldBytes(): number {
    return this.#visitedBytes + this.#sentSoFar - this.#visitedAtBytes;
  }

  /** Visits each connection for which bytes are held. */
  visitHeld(visit: BufferVisit): void {
    this.#visitedAtBytes = this.#sentSoFar;
    this.#visitedBytes = 0;
    for (const connection of this.#open) {
      const { heldBytes, socket } = connection;
      this.#visitedBytes += heldBytes;
      const bytes = heldBytes + (socket ? this.#waiting.of(socket) : 0);
      if (bytes > 0) visit({ shed: () => shed(connection) }, bytes);
    }
  }

  get #sentSoFar(): number {
    return this.#publishedBytes + this.slowClients.sentBytes;
  }

  /**
   * Notes that some of a connection's unsent bytes were sent, because a drain may be waiting for
   * that.
   */
  taken(connection: C): void {
    this.#drain.taken(connection);
  }

  /** Ends a connection with the close code that makes its client reconnect. */
  restart({ socket }: C): void {
    socket?.end(CLOSE.restart, { shutdown: "draining" });
  }

  /**
   * Ends all connections in batches; resolves when no connections remain. A second call changes the
   * pace.
   */
  async drain(pace: DrainPace): Promise<DrainCounts> {
    // Set first, because a client that is told to reconnect must not be accepted here again.
    this.#isClosing = true;
    return this.#drain.run(pace);
  }

  /** Lets `drain` begin again, after main has ended what this thread ran. */
  recover(): void {
    this.#drain.recover();
  }

  /** Ends all connections at once. Clients without unsent bytes are told to reconnect. */
  cut(): void {
    this.#isClosing = true;
    this.#drain.endAll();
  }
}

/** Ends a connection for which too much is held. */
function shed(connection: SlowConnection): void {
  const { socket } = connection;
  // Messages would otherwise wait on, until user code has handled those before them.
  socket?.dropWaiting();
  // A client that does not read would not see a close frame.
  if (connection.bufferedBytes > 0) connection.cut();
  else socket?.end(CLOSE.policyViolation, { shutdown: "closed" });
}
