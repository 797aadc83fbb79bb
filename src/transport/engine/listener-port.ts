/**
 * PORT: the listener of a node, which gets the connections of its port to the shards. Implemented by
 * `native/dealing-listener` and `portable/shared-port-listener`.
 *
 *   not ready --listens, and a shard is in the deal--> ready --leave()--> not ready, for good
 *       ^                                                |
 *       +----- no shard is in the deal, or paused -------+
 *
 * Main serves no clients itself. If no shard is in the deal, because none is running or all are overloaded or stuck,
 * requests are answered with 503 and their connections closed, so that none stays with main.
 *
 * Runs on: main; one per server.
 */

import type { Counters } from "../../memory/counters.ts";
import type { TcpConnections } from "../tcp-connections.ts";
import type { AppDescriptor, AppOptions } from "./app-port.ts";

/** Where a thread listens. */
export interface ListeningPlace {
  readonly host: string;
  readonly port: number;
  /** Whether others listen on the same port. */
  readonly isShared: boolean;
}

/** The thread of a shard, as its node's listener uses it. */
export interface ListeningThread {
  /** Set if main deals connections to the thread; undefined if it listens itself, and before it is ready. */
  readonly descriptor: AppDescriptor | undefined;
  /**
   * Makes the thread listen. Only called if it has no descriptor, and not again before it has settled.
   *
   * @returns false if the port is not available, or the thread has ended
   */
  listen(place: ListeningPlace): Promise<boolean>;
  /**
   * Makes the thread stop listening, also if `listen` has not settled.
   *
   * @param isFull - whether the node has no room: connections that wait are not accepted first
   */
  stopListening(isFull: boolean): void;
}

/** The dependencies of a listener. */
export interface ListenerParts {
  /** The options of main's app. */
  readonly app: AppOptions;
  /** Counts connections that main answers itself. */
  readonly tcp: Pick<TcpConnections, "watch" | "requested" | "answered">;
  readonly counters: Pick<Counters, "add">;
  /** Called when the listener becomes ready or not ready, and possibly in between. */
  readonly onReadiness: (isReady: boolean) => void;
}

/** The listener of a node. */
export interface NodeListener {
  /** Number of threads in the deal. */
  readonly size: number;
  /** Whether somebody listens now: main, or a thread in the deal. */
  readonly isListening: boolean;
  /** Whether it does not listen, and will not listen again. */
  readonly isStopped: boolean;
  /** Adds a thread to the deal. More calls have no effect. */
  add(thread: ListeningThread): void;
  /** Takes a thread out of the deal. Connections that are on their way may still reach it. */
  remove(thread: ListeningThread): void;
  has(thread: ListeningThread): boolean;
  /**
   * Sets whether a thread in the deal receives one or two connections per round. Has no effect if the system deals the
   * connections.
   */
  setTurns(thread: ListeningThread, turns: 1 | 2): void;
  /**
   * Listens on a host and port.
   *
   * @param port - 0 lets the system choose a free port
   * @returns the port; rejects with SIM_ERR_LISTEN if the address is in use or not available
   */
  listen(host: string, port: number): Promise<number>;
  /**
   * Stops listening until `resume`. The system resets connections that wait to be accepted, and refuses new ones.
   *
   * @returns false if it does not listen
   */
  pause(): boolean;
  /** Listens again, on the same port. @returns false if the port is taken */
  resume(): Promise<boolean>;
  /** Reports the node as not ready, but keeps accepting connections until `stopListening`. */
  leave(): void;
  /** Stops accepting connections, for good. */
  stopListening(): void;
  /** Stops listening, empties the deal and closes main's app. @returns when the port is free of main */
  close(): Promise<void>;
}
