/**
 * The native engine: uWebSockets.js. Its apps, requests, responses and WebSockets are used as they are.
 *
 * Main's app listens, and deals accepted sockets to the apps of the shards (`dealing-listener`).
 *
 * Runs on: main, shard.
 */

import { listenError } from "../listen-error.ts";
import { OPTIONS } from "../../../options/options.ts";
import type { ListenerParts, NodeListener } from "../listener-port.ts";
import type { AppDescriptor, AppOptions, EngineApp } from "../app-port.ts";
import type { Engine } from "../engine-port.ts";
import { DealingListener, tryListen } from "./dealing-listener.ts";
import { createNativeApp } from "./native-app.ts";
import type { ListenSocket, NativeApp, NativeModule } from "./uws-types.ts";

/** The engine of a loaded package. */
export class NativeEngine implements Engine {
  readonly kind = "native";
  readonly name: string;
  readonly version: string;
  readonly maxShards = OPTIONS.shards.max;
  readonly outlivesThreads = false;
  readonly uncompressed: number;
  readonly compressed: number;
  readonly #module: NativeModule;
  /** The listening sockets of apps that listen by themselves. */
  readonly #listening = new WeakMap<EngineApp, ListenSocket>();

  constructor(module: NativeModule, name: string, version: string) {
    this.#module = module;
    this.name = name;
    this.version = version;
    this.uncompressed = module.DISABLED;
    this.compressed = module.SHARED_COMPRESSOR | module.SHARED_DECOMPRESSOR;
  }

  createApp(options: AppOptions): EngineApp {
    return createNativeApp(this.#module, options);
  }

  descriptorOf(app: EngineApp): AppDescriptor {
    return (app as NativeApp).getDescriptor();
  }

  async listen(app: EngineApp, host: string, port: number): Promise<number> {
    const socket = tryListen(this.#module, app as NativeApp, host, port);
    if (!socket) throw listenError(host, port);
    this.#listening.set(app, socket);
    return this.#module.us_socket_local_port(socket);
  }

  async stopListening(app: EngineApp): Promise<void> {
    const socket = this.#listening.get(app);
    if (socket) this.#module.us_listen_socket_close(socket);
    this.#listening.delete(app);
  }

  createListener(parts: ListenerParts): NodeListener {
    return new DealingListener(this.#module, parts);
  }
}
