/**
 * The TCP connections of a thread: counts them, and closes those that the node has no room for. New ones are read a few
 * at a time (`transport/accept-queue`).
 *
 *   opened -> idle: no complete request has arrived
 *              |  ^
 *     requested|  | answered, or the client went away during the request
 *              v  |
 *             busy
 *   idle --upgraded--> WebSocket
 *
 * The engine reports connections that open and close, but neither which one it is, nor the end of one
 * that became a WebSocket. So the transports report those, and requests that are not answered at once.
 *
 * Runs on: main, shard; one for each app.
 * Full: a connection above `maxConnections` or `maxIdleConnections` is closed as soon as it opens. Both
 *       are limits of the node. Threads that open connections at the same moment do not see each
 *       other's, so a limit can be exceeded by one connection less than there are threads.
 */

import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { CounterSum, type Counters } from "../memory/counters.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { AcceptQueue } from "./accept-queue.ts";
import type { EngineApp, EngineResponse } from "./engine/app-port.ts";

/** The dependencies of TcpConnections. */
export interface TcpConnectionsParts {
  /** The counters of all threads. */
  readonly memory: SharedArrayBuffer;
  readonly counters: Counters;
  readonly options: Pick<ResolvedOptions, "maxConnections" | "maxIdleConnections">;
  readonly logger: Logger;
}

/** At most one line per this time says that connections are refused. */
const LOG_EVERY_MS = 10_000;

/** The TCP connections of a thread. */
export class TcpConnections {
  readonly #parts: TcpConnectionsParts;
  readonly #open: CounterSum;
  readonly #idle: CounterSum;
  readonly #accepted = new AcceptQueue();
  #loggedAtMs = -Infinity;
  #isClosed = false;

  constructor(parts: TcpConnectionsParts) {
    this.#parts = parts;
    this.#open = new CounterSum(parts.memory, COUNTER.tcpConnections);
    this.#idle = new CounterSum(parts.memory, COUNTER.idleConnections);
  }

  /** Counts the connections of an app. Called once. */
  watch(app: EngineApp): void {
    app.filter((response, change) => {
      if (change > 0) this.#opened(response);
      else this.#add(-1, -1);
    });
  }

  /**
   * Closes all connections that open from now on. Called when the app is closed: those that main dealt
   * to this thread before are still on their way.
   */
  close(): void {
    this.#isClosed = true;
  }

  /** A request arrived that is not answered at once. */
  requested(): void {
    this.#add(0, -1);
  }

  /** Such a request was answered, or its client went away. */
  answered(): void {
    this.#add(0, 1);
  }

  /** A connection became a WebSocket. */
  upgraded(): void {
    this.#add(0, -1);
  }

  /** A WebSocket was closed. */
  webSocketClosed(): void {
    this.#add(-1, 0);
  }

  #opened(response: EngineResponse): void {
    const { counters, options } = this.#parts;
    const { maxConnections, maxIdleConnections } = options;
    this.#add(1, 1);
    if (this.#isClosed) {
      response.close();
      return;
    }
    const isFull = this.#open.value > maxConnections;
    if (!isFull && this.#idle.value <= maxIdleConnections) {
      this.#accepted.push(response);
      return;
    }
    counters.add(COUNTER.connectionsRefused);
    // Main says that the node is full, and stops listening.
    if (!isFull) this.#logIdle(maxIdleConnections);
    // Calls the filter again, which counts the end of the connection.
    response.close();
  }

  #logIdle(maxIdleConnections: number): void {
    const nowMs = performance.now();
    if (nowMs - this.#loggedAtMs < LOG_EVERY_MS) return;
    this.#loggedAtMs = nowMs;
    this.#parts.logger.log("connectionsRefused", { maxIdleConnections });
  }

  // In this order, a thread that reads the number of open connections first never takes one that opens for a busy one.
  #add(open: number, idle: number): void {
    const { counters } = this.#parts;
    if (open < 0) counters.add(COUNTER.tcpConnections, open);
    if (idle !== 0) counters.add(COUNTER.idleConnections, idle);
    if (open > 0) counters.add(COUNTER.tcpConnections, open);
  }
}
