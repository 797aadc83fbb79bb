/**
 * Types of uWebSockets.js: those of the package, and functions that the package's types omit.
 *
 * Runs on: any thread. Types only; nothing is loaded.
 */

import type {
  AppOptions,
  CompressOptions,
  HttpResponse,
  RecognizedString,
  TemplatedApp,
  us_listen_socket,
  us_socket,
} from "uWebSockets.js";

import type { AppDescriptor } from "../app-port.ts";

export type { us_listen_socket as ListenSocket } from "uWebSockets.js";

/** Called once with the listening socket, or with false if host and port are not available. */
type ListenHandler = (listenSocket: us_listen_socket | false) => void;

/** An app. If it has no `ws` route, its `publish` and `numSubscribers` crash the process. */
export interface NativeApp extends Omit<TemplatedApp, "listen" | "filter"> {
  filter(handler: (response: HttpResponse, change: number) => void): NativeApp;
  /** Listens on a host and port. The handler is called before this returns. */
  listen(host: RecognizedString, port: number, options: number, handler: ListenHandler): NativeApp;
  /** Returns the descriptor for `addChildAppDescriptor` of an app on another thread. */
  getDescriptor(): AppDescriptor;
  /** Adds an app on another thread to the round robin of accepted sockets. */
  addChildAppDescriptor(descriptor: AppDescriptor): NativeApp;
  /** Removes that app from the round robin, which starts again at the first app. */
  removeChildAppDescriptor(descriptor: AppDescriptor): NativeApp;
}

/** The loaded package. */
export interface NativeModule {
  App(options?: AppOptions): NativeApp;
  /**
   * Creates an app that serves https.
   *
   * @throws an error without a reason if the files cannot be used
   */
  SSLApp(options: AppOptions): NativeApp;
  us_listen_socket_close(listenSocket: us_listen_socket): void;
  us_socket_local_port(socket: us_socket | us_listen_socket): number;
  /** Option of `listen`: fails if the port is in use, instead of sharing it silently. */
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  readonly DISABLED: CompressOptions;
  readonly SHARED_COMPRESSOR: CompressOptions;
  readonly SHARED_DECOMPRESSOR: CompressOptions;
}
