/**
 * Listens, and distributes accepted sockets among the shards in rotation, in turn.
 *
 * The main thread serves no clients itself. If no shard is in rotation, because none is running or
 * all are overloaded or stuck, requests are answered with 503 and their connections closed, so that
 * none stays with main.
 *
 *   not ready --listens, and a shard is in rotation--> ready --leave()--> not ready, for good
 *       ^                                                |
 *       +----- no shard is in rotation, or paused -------+
 *
 * Runs on: main.
 */

import { makeError } from "../errors.ts";
import { RETRY_AFTER_S } from "../protocol/reserved.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import type { Life } from "../memory/life.ts";
import type { Engine, EngineApp, ListenSocket } from "../transport/engine/engine-types.ts";
import { isFramed, refuseUnframed } from "../transport/http/framing.ts";
import type { TcpConnections } from "../transport/tcp-connections.ts";

/** The listening socket of a server. */
export class Acceptor {
  readonly #engine: Engine;
  readonly #app: EngineApp;
  readonly #life: Life;
  /** Turns per round of each shard in rotation, by app descriptor. */
  readonly #turns = new Map<number, number>();
  #listenSocket: ListenSocket | undefined;
  /** Where it listens; undefined before `listen` and after `stopListening`. */
  #place: { readonly host: string; readonly port: number } | undefined;
  #isLeaving = false;

  /** @param tcp - counts connections that are not distributed */
  constructor(
    engine: Engine,
    tcp: Pick<TcpConnections, "watch" | "requested" | "answered">,
    counters: Counters,
    life: Life,
  ) {
    this.#engine = engine;
    this.#life = life;
    this.#app = engine.App();
    tcp.watch(this.#app);
    this.#app.any("/*", (response, request) => {
      if (!isFramed(request)) {
        refuseUnframed(response, tcp);
        return;
      }
      counters.add(COUNTER.turnedAway);
      response.writeStatus("503 Service Unavailable").writeHeader("retry-after", RETRY_AFTER_S);
      response.end(undefined, true);
    });
  }

  /** Number of shards in rotation. */
  get size(): number {
    return this.#turns.size;
  }

  /** Adds a shard's app to the rotation. */
  add(descriptor: number): void {
    // If an app is added twice, the engine gives it a double share.
    if (this.#turns.has(descriptor)) return;
    this.#turns.set(descriptor, 1);
    this.#app.addChildAppDescriptor(descriptor);
    this.#setReadiness();
  }

  /** Removes a shard's app from the rotation. */
  remove(descriptor: number): void {
    if (this.#turns.delete(descriptor)) this.#app.removeChildAppDescriptor(descriptor);
    this.#setReadiness();
  }

  has(descriptor: number): boolean {
    return this.#turns.has(descriptor);
  }

  /** Sets whether a shard in rotation receives one or two connections per round. */
  setTurns(descriptor: number, turns: 1 | 2): void {
    if (!this.has(descriptor) || turns === this.#turns.get(descriptor)) return;
    if (turns === 1) {
      // This removes all turns of the app. No connection is accepted before it is added again
      // below.
      this.#app.removeChildAppDescriptor(descriptor);
    }
    this.#turns.set(descriptor, turns);
    this.#app.addChildAppDescriptor(descriptor);
  }

  /**
   * Listens on a host and port.
   *
   * The engine sets SO_REUSEADDR only for explicit ports. So if the system chose the port, the acceptor
   * listens on it again by its number. Otherwise it could not be used after a pause.
   *
   * @param port - 0 lets the system choose a free port
   * @returns the port
   * @throws SIM_ERR_LISTEN if the address is in use or not available
   */
  listen(host: string, port: number): number {
    let chosen = this.#tryListen(host, port);
    if (chosen !== undefined && port === 0) {
      this.#closeSocket();
      chosen = this.#tryListen(host, chosen);
    }
    if (chosen === undefined) {
      throw makeError(
        "SIM_ERR_LISTEN",
        `host and port must be free and local, got ${host}:${port}, which is in use or not available; stop the other program, or set another port (SIMURGH_PORT)`,
      );
    }
    this.#place = { host, port: chosen };
    this.#setReadiness();
    return chosen;
  }

  /**
   * Closes the listening socket until `resume`. The system resets connections that wait to be accepted,
   * and refuses new ones.
   *
   * @returns false if it does not listen
   */
  pause(): boolean {
    if (this.#listenSocket === undefined) return false;
    this.#closeSocket();
    this.#setReadiness();
    return true;
  }

  /** Listens again, on the same port. @returns false if the port is taken */
  resume(): boolean {
    const place = this.#place;
    if (place === undefined || this.#listenSocket !== undefined) return true;
    const isListening = this.#tryListen(place.host, place.port) !== undefined;
    this.#setReadiness();
    return isListening;
  }

  /** Reports the node as not ready, but keeps accepting connections until `stopListening`. */
  leave(): void {
    this.#isLeaving = true;
    this.#setReadiness();
  }

  /** Whether it does not listen, and will not listen again. */
  get isStopped(): boolean {
    return this.#place === undefined;
  }

  /** Stops accepting connections. */
  stopListening(): void {
    if (this.#place === undefined) return;
    this.#place = undefined;
    this.#closeSocket();
    this.#setReadiness();
  }

  /** Stops listening, empties the rotation and closes the app. */
  close(): void {
    this.stopListening();
    for (const descriptor of this.#turns.keys()) this.remove(descriptor);
    this.#app.close();
  }

  /** @returns the port, or undefined if it is not available */
  #tryListen(host: string, port: number): number | undefined {
    const option = this.#engine.LIBUS_LISTEN_EXCLUSIVE_PORT;
    this.#app.listen(host, port, option, (listenSocket) => {
      if (listenSocket !== false) this.#listenSocket = listenSocket;
    });
    return this.#listenSocket && this.#engine.us_socket_local_port(this.#listenSocket);
  }

  #closeSocket(): void {
    if (this.#listenSocket !== undefined) this.#engine.us_listen_socket_close(this.#listenSocket);
    this.#listenSocket = undefined;
  }

  #setReadiness(): void {
    const isListening = this.#listenSocket !== undefined;
    this.#life.setReady(isListening && this.#turns.size > 0 && !this.#isLeaving);
  }
}
