/**
 * Types of the engine: those of the package, and functions that the package's types omit.
 *
 * Runs on: any thread. Types only; nothing is loaded.
 */

import type {
  AppOptions,
  CompressOptions,
  RecognizedString,
  TemplatedApp,
  WebSocket,
  us_listen_socket,
  us_socket,
} from "uWebSockets.js";

export type {
  CompressOptions,
  HttpRequest,
  HttpResponse,
  RecognizedString,
  WebSocketBehavior,
  us_listen_socket as ListenSocket,
  us_socket_context_t as UpgradeContext,
} from "uWebSockets.js";

/**
 * Identifies an app to other threads. Must be passed on unchanged.
 *
 * It is an address whose bits are read as a double. `postMessage` and a Float64Array preserve them;
 * arithmetic and conversion to text do not.
 */
export type AppDescriptor = number;

/** Called once with the listening socket, or with false if host and port are not available. */
export type ListenHandler = (listenSocket: us_listen_socket | false) => void;

/** One thread's server: routes, sockets and topics. */
export interface EngineApp extends Omit<TemplatedApp, "listen"> {
  /** Listens on a host and port. The handler is called before this returns. */
  listen(host: RecognizedString, port: number, options: number, handler: ListenHandler): EngineApp;
  /** Returns the descriptor for `addChildAppDescriptor` of an app on another thread. */
  getDescriptor(): AppDescriptor;
  /** Adds an app on another thread to the round robin of accepted sockets. */
  addChildAppDescriptor(descriptor: AppDescriptor): EngineApp;
  /** Removes that app from the round robin, which starts again at the first app. */
  removeChildAppDescriptor(descriptor: AppDescriptor): EngineApp;
}

/** A WebSocket, from `open` to `close`. The package's types omit fragments. */
export interface EngineWebSocket<UserData> extends WebSocket<UserData> {
  /** Sends the first fragment of a message. The result is that of `send`. */
  sendFirstFragment(piece: RecognizedString, isBinary?: boolean, compress?: boolean): number;
  /** Sends a fragment that is neither first nor last. */
  sendFragment(piece: RecognizedString, compress?: boolean): number;
  /** Sends the last fragment. */
  sendLastFragment(piece: RecognizedString, compress?: boolean): number;
}

/** The loaded engine. */
export interface Engine {
  /** Creates an app. If it has no `ws` route, its `publish` and `numSubscribers` crash the process. */
  App(options?: AppOptions): EngineApp;
  us_listen_socket_close(listenSocket: us_listen_socket): void;
  us_socket_local_port(socket: us_socket | us_listen_socket): number;
  /** Option of `listen`: fails if the port is in use, instead of sharing it silently. */
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  readonly DISABLED: CompressOptions;
  readonly SHARED_COMPRESSOR: CompressOptions;
  readonly SHARED_DECOMPRESSOR: CompressOptions;
  readonly DEDICATED_COMPRESSOR_4KB: CompressOptions;
  readonly DEDICATED_DECOMPRESSOR: CompressOptions;
}
