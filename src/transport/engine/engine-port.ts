/**
 * PORT: an engine, as loaded on a thread. It creates the app of a shard (`app-port`), or the listener of a node
 * (`listener-port`). Implemented by `native` (uWebSockets.js) and by `portable` (Node's `http` and the package `ws`).
 *
 * Runs on: main, shard.
 */

import type { AppDescriptor, AppOptions, EngineApp } from "./app-port.ts";
import type { ListenerParts, NodeListener } from "./listener-port.ts";

/** An engine, as loaded on a thread. */
export interface Engine {
  readonly kind: "native" | "portable";
  /** Name of the package, for people. */
  readonly name: string;
  /** Version of the package, for people. */
  readonly version: string;
  /** The number of shards that can serve one port on this system. */
  readonly maxShards: number;
  /** Whether the process goes on if a thread ends without having closed its app. */
  readonly outlivesThreads: boolean;
  /** Values of `compression` of a WebSocket path. */
  readonly uncompressed: number;
  readonly compressed: number;
  /**
   * Creates an app without routes that does not listen.
   *
   * @throws SIM_ERR_TLS if the files of its certificate cannot be used, or have changed since they were checked
   */
  createApp(options: AppOptions): EngineApp;
  /** Returns what main's listener needs to deal connections to an app; undefined if the app listens itself. */
  descriptorOf(app: EngineApp): AppDescriptor | undefined;
  /**
   * Makes an app listen by itself. An app that main deals connections to does not need it. Calls of this and of
   * `stopListening` are carried out in their order.
   *
   * @param port - 0 lets the system choose a free port
   * @param isShared - whether other apps may listen on the same port, of which all must share it
   * @returns the port; rejects with SIM_ERR_LISTEN if it is in use or not available, or the app is closed
   */
  listen(app: EngineApp, host: string, port: number, isShared?: boolean): Promise<number>;
  /**
   * Ends `listen`. The app's connections stay open. Connections that wait to be accepted are reset by the system.
   *
   * @param isFull - whether the node has no room: an app that listens by itself does not accept those that wait first
   * @returns when the port is free
   */
  stopListening(app: EngineApp, isFull?: boolean): Promise<void>;
  /** Creates the listener of a node. Called on main. */
  createListener(parts: ListenerParts): NodeListener;
}
