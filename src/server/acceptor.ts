/**
 * Listens, and deals the accepted sockets out to the shards, in turns.
 *
 * Main serves no client: with no shard in the deal, as none is left or all are overloaded, a
 * request gets 503.
 *
 *   not ready --listens, and a shard is in the deal--> ready --it leaves--> not ready, for good
 *       ^                                                |
 *       +------------ no shard is in the deal -----------+
 *
 * Runs on: main.
 */

import { makeError } from "../errors.ts";
import { RETRY_AFTER_S } from "../protocol/reserved.ts";
import type { Engine, EngineApp, ListenSocket } from "../transport/engine/engine-types.ts";

/** What an acceptor tells. */
export interface AcceptorEvents {
  /** A request got 503. */
  turnedAway(): void;
  /** Clients are to come here, or are not. */
  readiness(isReady: boolean): void;
}

/** The listening socket of a server. */
export class Acceptor {
  readonly #engine: Engine;
  readonly #app: EngineApp;
  readonly #events: AcceptorEvents;
  /** Shards in the deal, and the turns that each has in a round. */
  readonly #turns = new Map<number, number>();
  #listenSocket: ListenSocket | undefined;
  #isLeaving = false;

  constructor(engine: Engine, events: AcceptorEvents) {
    this.#engine = engine;
    this.#events = events;
    this.#app = engine.App();
    this.#app.any("/*", (response) => {
      events.turnedAway();
      response.writeStatus("503 Service Unavailable").writeHeader("retry-after", RETRY_AFTER_S);
      response.end();
    });
  }

  /** Shards in the deal. */
  get size(): number {
    return this.#turns.size;
  }

  /** Puts a shard's app into the deal. */
  add(descriptor: number): void {
    // One that is added twice would get a double share.
    if (this.#turns.has(descriptor)) return;
    this.#turns.set(descriptor, 1);
    this.#app.addChildAppDescriptor(descriptor);
    this.#tellReadiness();
  }

  /** Takes a shard's app out of the deal. */
  remove(descriptor: number): void {
    if (this.#turns.delete(descriptor)) this.#app.removeChildAppDescriptor(descriptor);
    this.#tellReadiness();
  }

  has(descriptor: number): boolean {
    return this.#turns.has(descriptor);
  }

  /** Deals to a shard that is in the deal once, or twice, in each round. */
  setTurns(descriptor: number, turns: 1 | 2): void {
    if (!this.has(descriptor) || turns === this.#turns.get(descriptor)) return;
    if (turns === 1) {
      // One remove takes all turns of an app; nothing is accepted between this and the add.
      this.#app.removeChildAppDescriptor(descriptor);
    }
    this.#turns.set(descriptor, turns);
    this.#app.addChildAppDescriptor(descriptor);
  }

  /**
   * Listens.
   *
   * A port that the system chose (0) cannot be had again for a minute after its connections were
   * closed from here: only for a port that was named, the engine sets SO_REUSEADDR.
   *
   * @returns the port, which the system chose where 0 was given
   * @throws SIM_ERR_LISTEN where host and port are taken, or not ours
   */
  listen(host: string, port: number): number {
    const option = this.#engine.LIBUS_LISTEN_EXCLUSIVE_PORT;
    this.#app.listen(host, port, option, (listenSocket) => {
      if (listenSocket !== false) this.#listenSocket = listenSocket;
    });
    if (this.#listenSocket === undefined) {
      throw makeError(
        "SIM_ERR_LISTEN",
        `host and port must be free and ours, got ${host}:${port}, which is taken or not ours`,
      );
    }
    this.#tellReadiness();
    return this.#engine.us_socket_local_port(this.#listenSocket);
  }

  /** Is not ready from now on, though it takes connections for as long as it listens. */
  leave(): void {
    this.#isLeaving = true;
    this.#tellReadiness();
  }

  /** Takes no more connections. */
  stopListening(): void {
    if (this.#listenSocket === undefined) return;
    this.#engine.us_listen_socket_close(this.#listenSocket);
    this.#listenSocket = undefined;
    this.#tellReadiness();
  }

  /** Ends everything. */
  close(): void {
    this.stopListening();
    for (const descriptor of this.#turns.keys()) this.remove(descriptor);
    this.#app.close();
  }

  #tellReadiness(): void {
    const isListening = this.#listenSocket !== undefined;
    this.#events.readiness(isListening && this.#turns.size > 0 && !this.#isLeaving);
  }
}
