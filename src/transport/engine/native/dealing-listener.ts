/**
 * The listener of a node with the native engine: listens, and deals accepted sockets to the shards in turn.
 *
 * Runs on: main.
 */

import type { ListenerParts, ListeningThread, NodeListener } from "../listener-port.ts";
import type { AppDescriptor } from "../app-port.ts";
import { listenError } from "../listen-error.ts";
import { createNativeApp } from "./native-app.ts";
import { turnAway } from "../turned-away.ts";
import type { ListenSocket, NativeApp, NativeModule } from "./uws-types.ts";

/** The listening socket of a server, whose app deals connections to those of the shards. */
export class DealingListener implements NodeListener {
  readonly #module: NativeModule;
  readonly #app: NativeApp;
  readonly #parts: ListenerParts;
  /** Turns per round of each shard in the deal, by app descriptor. */
  readonly #turns = new Map<AppDescriptor, number>();
  #listenSocket: ListenSocket | undefined;
  /** Where it listens; undefined before `listen` and after `stopListening`. */
  #place: { readonly host: string; readonly port: number } | undefined;
  #isLeaving = false;

  constructor(module: NativeModule, parts: ListenerParts) {
    this.#module = module;
    this.#parts = parts;
    this.#app = createNativeApp(module, parts.app);
    turnAway(this.#app, parts);
  }

  get size(): number {
    return this.#turns.size;
  }

  add({ descriptor }: ListeningThread): void {
    // If an app is added twice, the engine gives it a double share.
    if (descriptor === undefined || this.#turns.has(descriptor)) return;
    this.#turns.set(descriptor, 1);
    this.#app.addChildAppDescriptor(descriptor);
    this.#setReadiness();
  }

  remove({ descriptor }: ListeningThread): void {
    if (descriptor !== undefined) this.#remove(descriptor);
  }

  has({ descriptor }: ListeningThread): boolean {
    return descriptor !== undefined && this.#turns.has(descriptor);
  }

  setTurns({ descriptor }: ListeningThread, turns: 1 | 2): void {
    if (descriptor === undefined) return;
    const before = this.#turns.get(descriptor);
    if (before === undefined || before === turns) return;
    if (turns === 1) {
      // This removes all turns of the app. No connection is accepted before it is added again
      // below.
      this.#app.removeChildAppDescriptor(descriptor);
    }
    this.#turns.set(descriptor, turns);
    this.#app.addChildAppDescriptor(descriptor);
  }

  /**
   * The engine sets SO_REUSEADDR only for explicit ports. So if the system chose the port, it listens again by its
   * number. Otherwise the port could not be used after a pause.
   */
  async listen(host: string, port: number): Promise<number> {
    let chosen = this.#tryListen(host, port);
    if (chosen !== undefined && port === 0) {
      this.#closeSocket();
      chosen = this.#tryListen(host, chosen);
    }
    if (chosen === undefined) throw listenError(host, port);
    this.#place = { host, port: chosen };
    this.#setReadiness();
    return chosen;
  }

  pause(): boolean {
    if (this.#listenSocket === undefined) return false;
    this.#closeSocket();
    this.#setReadiness();
    return true;
  }

  async resume(): Promise<boolean> {
    const place = this.#place;
    if (place === undefined || this.#listenSocket !== undefined) return true;
    const isListening = this.#tryListen(place.host, place.port) !== undefined;
    this.#setReadiness();
    return isListening;
  }

  leave(): void {
    this.#isLeaving = true;
    this.#setReadiness();
  }

  get isListening(): boolean {
    return this.#listenSocket !== undefined;
  }

  get isStopped(): boolean {
    return this.#place === undefined;
  }

  stopListening(): void {
    if (this.#place === undefined) return;
    this.#place = undefined;
    this.#closeSocket();
    this.#setReadiness();
  }

  async close(): Promise<void> {
    this.stopListening();
    for (const descriptor of this.#turns.keys()) this.#remove(descriptor);
    this.#app.close();
  }

  #remove(descriptor: AppDescriptor): void {
    if (this.#turns.delete(descriptor)) this.#app.removeChildAppDescriptor(descriptor);
    this.#setReadiness();
  }

  /** @returns the port, or undefined if it is not available */
  #tryListen(host: string, port: number): number | undefined {
    this.#listenSocket = tryListen(this.#module, this.#app, host, port);
    return this.#listenSocket && this.#module.us_socket_local_port(this.#listenSocket);
  }

  #closeSocket(): void {
    if (this.#listenSocket !== undefined) this.#module.us_listen_socket_close(this.#listenSocket);
    this.#listenSocket = undefined;
  }

  #setReadiness(): void {
    this.#parts.onReadiness(this.isListening && this.#turns.size > 0 && !this.#isLeaving);
  }
}

/** Makes an app listen on a port that nobody else listens on. @returns undefined if it is not available */
export function tryListen(
  module: NativeModule,
  app: NativeApp,
  host: string,
  port: number,
): ListenSocket | undefined {
  let listening: ListenSocket | undefined;
  app.listen(host, port, module.LIBUS_LISTEN_EXCLUSIVE_PORT, (listenSocket) => {
    if (listenSocket !== false) listening = listenSocket;
  });
  return listening;
}
