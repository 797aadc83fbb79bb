/**
 * Definition of a custom transport: user code that carries frames between clients and a shard, as
 * WebSocket and long-poll do.
 *
 * Runs on: shard; each shard loads its own definition.
 */

import type { ShardContext } from "../../channel/context.ts";
import { checkCallbacks, checkLiteralKeys, invalid, shown } from "../../definition-checks.ts";
import type { LogSink } from "../../log/sink.ts";
import type { ConnectInfo, Params } from "../../socket/connect-request.ts";
import type { ControlOpcode } from "../../socket/frame.ts";
import type { Route, RouteRequest } from "../http/routes.ts";

/** A client's request to connect, as read by the transport. */
export interface TransportRequest {
  /** Path of a socket of the endpoint, with its variables filled in. */
  readonly path: string;
  /** Parameters for `connect`. They include `vsn`, which is 1.0.0 if it is missing. */
  readonly params?: Params;
  /** The transport's information about the client, for `connect`. Not used if `http` is set. */
  readonly connectInfo?: ConnectInfo;
  /**
   * The request of a route over which the client connects. The mount's handshake then applies, as
   * for WebSocket: `checkOrigin` is checked, parameters of the query are added to `params`, and
   * `connectInfo` contains the information that the mount requests.
   */
  readonly http?: RouteRequest;
}

/** The outcome of a request to connect. */
export type TransportDecision =
  | {
      readonly result: "ok";
      /** The socket's id, or null. */
      readonly id: string | null;
      /**
       * Opens the connection. Must be called at most once; from then on, frames may be exchanged.
       */
      open(client: TransportClient): TransportConnection;
    }
  /** `connect` returned `error(reason)`; the reason is undefined if no reason was passed. */
  | { readonly result: "refused"; readonly reason: unknown }
  /** The client is over a rate limit, or its address was cut for flooding. It may try again after this time. */
  | { readonly result: "limited"; readonly retryAfterMs: number }
  /** `connect` threw, and the exception was logged. */
  | { readonly result: "failed" }
  /** The shard or the node is closing, or has too many requests to connect: the client should try again. */
  | { readonly result: "unavailable" };

/** A client, implemented by the transport. If one of its methods throws, the connection ends. */
export interface TransportClient {
  /** Sends a frame: text, or bytes that it may keep. Not called after `close`. */
  send(frame: string | Uint8Array): void;
  /**
   * Ends the connection. The code and the text are for clients that can receive them. 1006 means
   * that the client does not read, and that nothing must be sent to it.
   */
  close(code: number, text: string): void;
  /**
   * Called when a channel may have finished what it received. `isHandling` of the connection tells whether it has.
   * Needed only by transports that must not lose messages in a crash.
   */
  handled?(): void;
  /**
   * Called when a handler has called `replyLater`. The handler finishes without a reply, and the reply with this topic
   * and ref may follow at any time.
   */
  repliesLater?(topic: string, ref: unknown): void;
  /** Sends a ping to the client. Absent if the transport has no pings. */
  ping?(data: Uint8Array): void;
  /**
   * Bytes that could not be sent to the client yet; absent: always 0. A client with more than
   * `maxBackpressureBytes` may be slow.
   */
  readonly bufferedBytes?: number;
  /**
   * Called when the transport may read from this client again, after `receive` returned false. Absent if the transport
   * cannot stop reading.
   */
  resume?(): void;
  /**
   * All bytes that the transport holds for the client, such as frames that it keeps for a client that reconnects.
   * Defaults to `bufferedBytes`. They count towards `maxBufferBytes` of the node, but do not make a client slow. Call
   * `kept` of the connection for bytes other than frames to send.
   */
  readonly heldBytes?: number;
}

/** A connection, as the transport sees it. */
export interface TransportConnection {
  /** The connection's number, as in `server.sockets`. */
  readonly number: number;
  /** False once the connection has ended on either side. */
  readonly isOpen: boolean;
  /**
   * Passes on a frame from the client. Bytes may be reused as soon as this returns.
   *
   * All clients of a shard share 10 ms of each turn of its event loop. When these are spent, frames of a client that
   * sends many of them wait, in order. Frames also wait while a serial socket handles an earlier one.
   *
   * @returns false if the transport should stop reading from this client until its `resume` is called, or the connection
   *   has ended. A client for which more than 256 KiB wait nevertheless is cut (1006), and its address has to pause
   *   (`floodPauseMs`)
   */
  receive(frame: string | Uint8Array): boolean;
  /** Passes on a pong from the client, or a ping that the transport has answered. */
  control(opcode: ControlOpcode, data?: Uint8Array): void;
  /**
   * Reports whether the topic's channel is still handling what it received: its join is not answered, the promise of a
   * callback has not settled, or messages wait for it or for a turn. After a raw channel has answered its join, and for
   * raw sockets, only messages that wait for a turn count.
   */
  isHandling(topic: string): boolean;
  /** Notes that some unsent bytes were sent to the client. */
  drained(): void;
  /**
   * Notes that the transport keeps further bytes that are not to be sent, such as frames from the client that wait.
   * While it keeps them, `heldBytes` of the client must include them.
   */
  kept(bytes: number): void;
  /**
   * Ends the connection after the client went away, with the client's close code or 1006. Does not
   * call the client's `close`.
   */
  closed(code?: number): void;
}

/** The interface of a shard for a transport. */
export interface TransportHost {
  /** The shard's context, including the values that the endpoint's `start` added. */
  readonly context: ShardContext;
  /**
   * Writes lines to the server's log, with the name of the transport:
   * `host.log.warn({ err }, "no connection to the database, trying again")`. `logLevel` and the endpoint's `logger` apply.
   * It never throws and never waits: long text is cut, and lines above `logLinesPerSecond` are only counted, as are those
   * above `logLinesPerConnection` that have the field `connection` (`connection.number`). Pass errors as `err`, and data
   * from a client as `params`, which are filtered (`filterParameters`).
   */
  readonly log: LogSink;
  /**
   * Calls a socket's `connect` and `id` to decide whether a client may connect.
   *
   * @throws SIM_ERR_OPTION_INVALID (rejects) if no socket has the path, or `http` is not a request of a
   *   route
   */
  connect(request: TransportRequest): Promise<TransportDecision>;
  /**
   * Reports whether the page that sent a request may use a socket, by `checkOrigin` of its mount. `connect` checks that
   * too; a transport whose clients send further requests checks each of them. Refusals are logged.
   *
   * @param path - as for `connect`
   * @throws SIM_ERR_OPTION_INVALID if no socket has the path, or `http` is not a request of a route
   */
  allowsOrigin(path: string, http: RouteRequest): boolean;
  /**
   * Adds an HTTP route on the server's port, as `routes` of the endpoint do. Requests reach any shard,
   * so two requests of one client may reach different shards.
   *
   * @param name - method and path, such as `GET /events/:room`
   * @throws SIM_ERR_DEFINITION_INVALID if the name is invalid or the route exists already
   */
  route(name: string, handler: Route<ShardContext>): void;
  /**
   * The address of this thread of this shard, for `call`: up to 400 ASCII letters, digits, `.`, `-` and `_`. A restarted
   * shard has another address. Clients may keep an address: it is signed with the server's `secretKeyBase`, so that they
   * cannot forge one. Nodes call each other if they are linked and have the same `secretKeyBase`.
   */
  readonly address: string;
  /**
   * Calls the transport of the same name on the shard with this address, here or on another node.
   *
   * A call is handled at most once, but a call that was rejected may have been handled. Calls of up to 8,000 bytes to
   * one address are handled in order.
   *
   * @param address - `host.address` of a shard
   * @param request - text or bytes, up to 16 MiB, which are copied
   * @returns the answer of the handler there
   * @throws (rejects) SIM_ERR_TRANSPORT_UNREACHABLE if the thread is gone, no shard has issued the address, its
   *   transport has no `onCall`, its node does not confirm the call within `longpollTimeoutMs`, or this shard is
   *   closing; SIM_ERR_TRANSPORT_TIMEOUT if there is no answer in time; SIM_ERR_TRANSPORT_FAILED if the handler
   *   threw; SIM_ERR_TRANSPORT_BUSY if too many calls wait; SIM_ERR_PAYLOAD_TOO_LARGE if the request or the
   *   answer is too long; SIM_ERR_OPTION_INVALID if an argument is; the reason of `signal` if that is aborted
   */
  call(
    address: string,
    request: string | Uint8Array,
    options?: TransportCallOptions,
  ): Promise<Uint8Array>;
  /**
   * Serves the calls of other shards, and of this one. Call it once, in `start`. If the handler throws or rejects, the
   * error is logged, and the caller gets SIM_ERR_TRANSPORT_FAILED.
   *
   * @throws SIM_ERR_DEFINITION_INVALID if it is called twice, or without a function
   */
  onCall(handler: TransportCallHandler): void;
  /**
   * Publishes a number, such as a lag or a queue's length, in `server.stats().transports`, which has the value of each
   * shard and their sum. A call costs one store to memory, so it may be called often.
   *
   * @param name - in camelCase, with its unit, such as `lagMs`: ASCII letters and digits. At most 16 for each transport
   * @param value - finite; undefined removes the shard's value
   * @throws SIM_ERR_OPTION_INVALID if an argument is invalid, or there are too many names
   */
  measure(name: string, value: number | undefined): void;
}

/** A call that a transport's handler serves. */
export interface TransportCall {
  /** Aborted when the caller no longer waits, or this shard is closing. */
  readonly signal: AbortSignal;
}

/**
 * Serves the calls of a transport (`host.onCall`).
 *
 * @param request - bytes that it may keep; a string arrives as its UTF-8
 * @returns the answer, up to 16 MiB; a string is sent as its UTF-8
 */
export type TransportCallHandler = (
  request: Uint8Array,
  call: TransportCall,
) => Uint8Array | string | Promise<Uint8Array | string>;

/** Options of `host.call`. */
export interface TransportCallOptions {
  /** Time for the answer, from 1 to 3,600,000 ms; 5,000 by default. */
  readonly timeoutMs?: number;
  /** Abandons the call, which rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The callbacks of a transport. */
export interface TransportCallbacks {
  /** The value of `transport` in `connect`, sockets and channels. */
  readonly name: string;
  /**
   * Starts to accept clients. Runs in each shard, after the endpoint's `start`. If it throws, `serve`
   * fails. While a shard is being restarted, both of its threads run the transport.
   */
  start(host: TransportHost): void | Promise<void>;
  /**
   * Stops accepting clients. Runs once, when the shard closes. The shard itself ends the
   * connections.
   */
  stop?(): void | Promise<void>;
}

/** A defined transport, as a shard uses it. */
export interface TransportDefinition {
  readonly name: string;
  readonly start: (host: TransportHost) => unknown;
  readonly stop: () => unknown;
}

/** Names of the built-in transports. */
const TAKEN: readonly string[] = ["websocket", "longpoll"];

/**
 * Defines a custom transport, for the endpoint's `transports`.
 *
 * @throws SIM_ERR_DEFINITION_INVALID if the name is missing or taken, an object literal has an unknown
 *   key, or a callback is not a function
 */
export function defineTransport(callbacks: TransportCallbacks): TransportDefinition {
  const { name } = callbacks as { readonly name: unknown };
  if (typeof name !== "string" || name === "" || TAKEN.includes(name)) {
    throw invalid(
      `name must be a non-empty string other than ${TAKEN.join(" and ")}, got ${shown(name)}`,
    );
  }
  checkLiteralKeys(`transport ${name}`, callbacks, ["name", "start", "stop"]);
  checkCallbacks(callbacks, { required: ["start"], optional: ["stop"] });
  return {
    name,
    start: callbacks.start.bind(callbacks),
    stop: callbacks.stop?.bind(callbacks) ?? ((): void => {}),
  };
}
