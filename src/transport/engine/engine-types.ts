/**
 * Types of the engine: the package's own, and the calls that they leave out.
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
 * What an app is known by on other threads, to be passed on untouched.
 *
 * The bits of an address, seen as a double: a message or a Float64Array keeps them,
 * arithmetic and text do not.
 */
export type AppDescriptor = number;

/** Called once with the listening socket, or false where host and port cannot be had. */
export type ListenHandler = (listenSocket: us_listen_socket | false) => void;

/** One thread's server: routes, sockets and topics. */
export interface EngineApp extends Omit<TemplatedApp, "listen"> {
  /** Listens on a host and port; handler is called before this returns. */
  listen(host: RecognizedString, port: number, options: number, handler: ListenHandler): EngineApp;
  /** Gives what `addChildAppDescriptor` of an app on another thread takes. */
  getDescriptor(): AppDescriptor;
  /** Deals accepted sockets out to the app so described too, in turns. */
  addChildAppDescriptor(descriptor: AppDescriptor): EngineApp;
  /** Deals no more sockets to that app; the turns begin again at the first. */
  removeChildAppDescriptor(descriptor: AppDescriptor): EngineApp;
}

/** One WebSocket, from `open` to `close`. Sending in pieces is missing from the package's types. */
export interface EngineWebSocket<UserData> extends WebSocket<UserData> {
  /** Sends the first piece of a message; result as of `send`. */
  sendFirstFragment(piece: RecognizedString, isBinary?: boolean, compress?: boolean): number;
  /** Sends a further piece, neither first nor last. */
  sendFragment(piece: RecognizedString, compress?: boolean): number;
  /** Sends the last piece. */
  sendLastFragment(piece: RecognizedString, compress?: boolean): number;
}

/** The engine, as loaded. */
export interface Engine {
  /** Makes an app. Without a `ws` route its `publish` and `numSubscribers` end the process. */
  App(options?: AppOptions): EngineApp;
  us_listen_socket_close(listenSocket: us_listen_socket): void;
  us_socket_local_port(socket: us_socket | us_listen_socket): number;
  /** Option of `listen`: a taken port is a failure, not shared in silence. */
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  readonly DISABLED: CompressOptions;
  readonly SHARED_COMPRESSOR: CompressOptions;
  readonly SHARED_DECOMPRESSOR: CompressOptions;
  readonly DEDICATED_COMPRESSOR_4KB: CompressOptions;
  readonly DEDICATED_DECOMPRESSOR: CompressOptions;
}
