/**
 * PORT: the app of an engine, which speaks HTTP and WebSocket for a shard. Implemented by `native` (uWebSockets.js) and by
 * `portable` (Node's `http` and the package `ws`).
 *
 *   Engine --createApp--> EngineApp --filter--> a connection opened or closed
 *                             |
 *                             +--a route--> EngineRequest, EngineResponse --answered, or aborted--> over
 *                             |                                   |
 *                             +--`upgrade` of a WebSocket path----+--upgrade--> EngineWebSocket --close--> over
 *
 * The names and the behavior are those of uWebSockets.js, whose objects are used as they are, without a wrapper. Another
 * implementation does what this file says; nothing above may rely on more.
 *
 * Runs on: main, shard; each thread has its own engine. All calls are synchronous, and all callbacks are called from
 *          the thread's event loop, one at a time.
 * Owns: the connections, and what could not be sent yet. Bytes that are passed to a call are copied before it returns,
 *       also if they are in shared memory; the body of a `tryEnd` that did not send all of it is only copied as far as it
 *       was sent. Bytes that a callback gets are valid until it returns, and may be detached then.
 * Order: all that is sent on a connection arrives in the order of the calls: `send`, `ping`, `publish` of a WebSocket and
 *        of the app. What is sent within a callback, a `cork`, or by `publish` within a turn of the loop may leave in one
 *        system call at its end.
 * Slow: nothing is dropped but by a WebSocket's `maxBackpressure`. A response reports by the results of `write` and
 *       `tryEnd` what its client has not read, and a WebSocket by `getBufferedAmount`. A client that reads nothing of a
 *       response for about 30 s is cut.
 * Throws: a call on a response or WebSocket that is over throws, so the caller must drop its reference in time. An
 *         exception in a callback is uncaught (`process.on("uncaughtException")`), and the connection lives on.
 */

import type { TlsFiles } from "./tls-files.ts";

/** Bytes that have arrived, as the engine has them. Neither kind is copied. */
export type EngineBytes = ArrayBuffer | Uint8Array;

/** Text, sent as UTF-8, or bytes. Text that came from bytes is passed as bytes, which are cheaper. */
export type EngineText = string | ArrayBuffer | Uint8Array;

/**
 * Identifies an app to main's listener, if that deals connections to it. Must be passed on unchanged.
 *
 * It is an address whose bits are read as a double. `postMessage` and a Float64Array preserve them;
 * arithmetic and conversion to text do not.
 */
export type AppDescriptor = number;

/** Identifies the request of an upgrade. Valid as long as its response. */
export type UpgradeContext = object;

/** How to create an app. */
export interface AppOptions {
  /**
   * Requests with more bytes of headers are answered with 431. The native engine has one limit for the process, which is
   * set when it is loaded.
   */
  readonly maxHeaderBytes: number;
  /** Certificate and key of an app that serves https. Undefined for http. */
  readonly tls?: TlsFiles | undefined;
  /** Whose PROXY headers are read. Undefined for nobody's. The native engine reads those of version 2 of anybody. */
  readonly proxyHeaders?: ProxyHeaders | undefined;
}

/** A version of the PROXY protocol. */
export type ProxyVersion = "v1" | "v2";

/** Whose PROXY headers an app reads: at most one, in front of all else that is sent on a connection. */
export interface ProxyHeaders {
  readonly versions: readonly ProxyVersion[];
  /** Returns whether a peer may send one. */
  readonly isFrom: (address: string) => boolean;
}

/** Answers a request. It must answer, or call `onAborted`, before it returns. */
export type EngineHandler = (response: EngineResponse, request: EngineRequest) => void;

/**
 * One thread's server: routes, sockets and topics.
 *
 * A path may have variables (`/rooms/:id`) and may end in `/*`. Static segments win over variables, and these over `*`;
 * a method wins over `any`. An app must have a route for all requests, `any("/*")`.
 */
export interface EngineApp {
  get(path: string, handler: EngineHandler): unknown;
  post(path: string, handler: EngineHandler): unknown;
  put(path: string, handler: EngineHandler): unknown;
  patch(path: string, handler: EngineHandler): unknown;
  del(path: string, handler: EngineHandler): unknown;
  options(path: string, handler: EngineHandler): unknown;
  head(path: string, handler: EngineHandler): unknown;
  /** Serves all methods, also unknown ones. */
  any(path: string, handler: EngineHandler): unknown;
  /**
   * Serves WebSockets. GET requests with a `Sec-WebSocket-Key` of 24 characters are passed to `upgrade`, whatever
   * their other headers say. All other requests for the path go to its `any` route.
   */
  ws(path: string, behavior: EngineBehavior): unknown;
  /**
   * Calls a function when a TCP connection opens (change above 0), before anything is read from it, and when one closes
   * that has not become a WebSocket (change below 0). The end of a WebSocket is reported by its `close` only.
   *
   * Of the response of a connection that opens, only `close`, `pause`, `resume` and `onAborted` may be called, and the
   * latter three until its first request. While it is paused, nothing is read from it.
   */
  filter(handler: (response: EngineResponse, change: number) => void): unknown;
  /**
   * Sends a message to all WebSockets that subscribe to a topic. The frame is made once. An app without a WebSocket
   * path must not publish.
   *
   * @returns whether there is a subscriber
   */
  publish(topic: EngineText, message: EngineText, isBinary?: boolean, compress?: boolean): boolean;
  /**
   * Stops listening, and closes all connections at once. Calls the `onAborted` and `close` callbacks of those before it
   * returns. A thread must close its app before it ends.
   */
  close(): unknown;
}

/** The head of a request. Valid until the route's handler returns. */
export interface EngineRequest {
  /** Calls a function for each header in order, with its name in lower case. A name may repeat. */
  forEach(each: (name: string, value: string) => void): void;
  /** Returns a header by its lower-case name; empty if there is none. */
  getHeader(name: string): string;
  /** Returns a variable of the path as sent, by its index. */
  getParameter(index: number): string | undefined;
  /** Returns the path as sent, without the query. */
  getUrl(): string;
  /** Returns the query as sent, without the question mark; may be undefined if there is none. */
  getQuery(): string | undefined;
  /** Returns the method as sent. */
  getCaseSensitiveMethod(): string;
}

/**
 * The response to a request: open until it has ended or `onAborted` has been called.
 *
 * A route that has returned must send from within `cork`.
 */
export interface EngineResponse {
  /** Writes the status line, such as `200 OK`, which is the default. Must be the first call. */
  writeStatus(status: string): EngineResponse;
  /** Writes a header as it is, without a check. Must be before the first byte of the body. */
  writeHeader(name: string, value: string): EngineResponse;
  /**
   * Sends a piece of a body of unknown length, by the transfer coding `chunked`. It must not be empty.
   *
   * @returns false if the client reads more slowly. The piece is kept and sent; `onWritable` is called when there is
   *   room. Further pieces are kept as well, without a limit.
   */
  write(piece: EngineText): boolean;
  /**
   * Sends a whole body, or the rest of one, and ends the response. What cannot be sent at once is copied, and does not
   * count as unsent. Writes `content-length` unless `write` was called.
   *
   * @param closes - whether to say `connection: close`, and to close the connection when all is sent
   */
  end(body?: EngineText, closes?: boolean): EngineResponse;
  /**
   * Ends a response without a body.
   *
   * @param bytes - what `content-length` says; if undefined, the response has none
   */
  endWithoutBody(bytes?: number, closes?: boolean): EngineResponse;
  /**
   * Sends as much of a body as the client takes, and keeps none of it. When there is room, `onWritable` is called with
   * the number of bytes that have been sent, and the rest of the body must be passed again.
   *
   * @param totalBytes - the length of the whole body, the same in each call
   * @returns whether all that was passed is sent, and whether the response has ended
   */
  tryEnd(body: EngineText, totalBytes: number): [isSent: boolean, hasEnded: boolean];
  /**
   * Sets the function that is called when there is room after `write` or `tryEnd` has reported that there was none. It
   * must return true, or false if it has sent nothing because there was no room.
   *
   * @param handler - gets the number of bytes of the body that have been sent
   */
  onWritable(handler: (sentBytes: number) => boolean): EngineResponse;
  /**
   * Sets the function that is called if the connection closes before the response has ended, whoever closes it. The
   * response is over then. Replaces an earlier one.
   */
  onAborted(handler: () => void): EngineResponse;
  /**
   * Sets the function that gets the body in chunks, the last of which may be empty. Must be called before the
   * route's handler returns. If it is not called, the body is read and dropped.
   */
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): EngineResponse;
  /** Stops reading from the connection, so that its end is not seen either; a reset is. */
  pause(): unknown;
  /** Reads from the connection again. */
  resume(): unknown;
  /** Calls a function, and sends what it has sent in one system call. */
  cork(work: () => void): EngineResponse;
  /** Cuts the connection, and calls `onAborted` before it returns. */
  close(): EngineResponse;
  /**
   * Answers 101 and makes the connection a WebSocket: calls `open` of its path before it returns. The response is over
   * then. The key and extensions are those of the request; the subprotocol may be empty.
   */
  upgrade(
    userData: object,
    key: string,
    subprotocol: string,
    extensions: string,
    context: UpgradeContext,
  ): void;
  /** Returns the address of the peer as text, in ASCII. */
  getRemoteAddressAsText(): ArrayBuffer;
  /**
   * Returns the address that a PROXY header names, as text in ASCII; empty if there was none, or it names none. The
   * native engine takes such a header from anybody, before each request, and reports the last one of the connection.
   */
  getProxiedRemoteAddressAsText(): ArrayBuffer;
}

/** The limits of a WebSocket path. */
export interface EngineLimits {
  /** `compressed` or `uncompressed` of the engine. Compression takes no memory for each connection. */
  readonly compression: number;
  /** A longer message closes the connection: at once, or with 1009 if the engine can. */
  readonly maxPayloadLength: number;
  /** A `send` or `publish` that would leave more bytes than this unsent is skipped for this client. */
  readonly maxBackpressure: number;
  /** Must be false: the connection stays open if a message is skipped. */
  readonly closeOnBackpressureLimit: false;
  /** Must be 0: the engine closes no silent connections. */
  readonly idleTimeout: 0;
  /** Must be false. */
  readonly sendPingsAutomatically: false;
}

/** What a WebSocket path does, and its limits. */
export interface EngineBehavior extends EngineLimits {
  /** Decides about a request: answers it, or calls `upgrade`, at once or later. */
  upgrade(response: EngineResponse, request: EngineRequest, context: UpgradeContext): void;
  /** Called from within the `upgrade` of the response. */
  open(ws: EngineWebSocket): void;
  message(ws: EngineWebSocket, message: EngineBytes, isBinary: boolean): void;
  /** Called after the engine has answered a ping. */
  ping(ws: EngineWebSocket, data: EngineBytes): void;
  pong(ws: EngineWebSocket, data: EngineBytes): void;
  /** Called from within `send` and `publish` if a message is skipped. It must not call the engine. */
  dropped(ws: EngineWebSocket): void;
  /** Called when some of what was unsent has been sent. */
  drain(ws: EngineWebSocket): void;
  /**
   * Called when the connection is over, also from within `end` and `close`. From then on, all calls but `cork` throw.
   *
   * @param code - the client's close code; 1005 if it gave none, and 1006 if the connection broke
   */
  close(ws: EngineWebSocket, code: number): void;
}

/** A WebSocket, from `open` to `close`. Properties may be added to it. */
export interface EngineWebSocket {
  /**
   * Sends a message.
   *
   * @returns 1 if it is sent, or will be at the end of a cork; 0 if a part of it waits for the client; 2 if it was
   *   skipped, and `dropped` was called
   */
  send(message: EngineText, isBinary?: boolean, compress?: boolean): number;
  /** Sends a ping. @returns as `send` */
  ping(data?: EngineText): number;
  /** Sends a close frame and closes the connection when that is sent. Calls `close` before it returns. */
  end(code?: number, reason?: EngineText): void;
  /** Cuts the connection without a close frame. Calls `close` before it returns. */
  close(): void;
  /** Calls a function, and sends what it has sent in one system call. */
  cork(work: () => void): unknown;
  subscribe(topic: EngineText): boolean;
  unsubscribe(topic: EngineText): boolean;
  /** Returns the topics that it subscribes to. */
  getTopics(): string[];
  /** Publishes to all subscribers but itself. @returns whether there is one */
  publish(topic: EngineText, message: EngineText, isBinary?: boolean, compress?: boolean): boolean;
  /** Returns the bytes that wait for the client, without those of a cork and of `publish` in this turn. */
  getBufferedAmount(): number;
  /** Returns the address of the peer as text, in ASCII. */
  getRemoteAddressAsText(): ArrayBuffer;
}
