/**
 * Definition of a custom transport: user code that carries frames between clients and a shard, as
 * WebSocket and long-poll do.
 *
 * Runs on: shard; each shard loads its own definition.
 */

import type { ShardContext } from "../../channel/context.ts";
import { checkCallbacks, checkLiteralKeys, invalid, shown } from "../../definition-checks.ts";
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
  /** The client is over a rate limit and may try again after this time. */
  | { readonly result: "limited"; readonly retryAfterMs: number }
  /** `connect` threw, and the exception was logged. */
  | { readonly result: "failed" }
  /** The shard or the node is closing, or has too many requests to connect: the client should try again. */
  | { readonly result: "unavailable" };

/** A client, implemented by the transport. If `send`, `close` or `ping` throws, the connection ends. */
export interface TransportClient {
  /** Sends a frame: text, or bytes that it may keep. Not called after `close`. */
  send(frame: string | Uint8Array): void;
  /**
   * Ends the connection. The code and the text are for clients that can receive them. 1006 means
   * that the client does not read, and that nothing must be sent to it.
   */
  close(code: number, text: string): void;
  /** Sends a ping to the client. Absent if the transport has no pings. */
  ping?(data: Uint8Array): void;
  /**
   * Bytes that could not be sent to the client yet; absent: always 0. A client with more than
   * `maxBackpressureBytes` may be slow.
   */
  readonly bufferedBytes?: number;
}

/** A connection, as the transport sees it. */
export interface TransportConnection {
  /** The connection's number, as in `server.sockets`. */
  readonly number: number;
  /** False once the connection has ended on either side. */
  readonly isOpen: boolean;
  /** Passes on a frame from the client. Bytes may be reused as soon as this returns. */
  receive(frame: string | Uint8Array): void;
  /** Passes on a pong from the client, or a ping that the transport has answered. */
  control(opcode: ControlOpcode, data?: Uint8Array): void;
  /** Notes that some unsent bytes were sent to the client. */
  drained(): void;
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
   * Calls a socket's `connect` and `id` to decide whether a client may connect.
   *
   * @throws SIM_ERR_OPTION_INVALID (rejects) if no socket has the path, or `http` is not a request of a
   *   route
   */
  connect(request: TransportRequest): Promise<TransportDecision>;
  /**
   * Adds an HTTP route on the server's port, as `routes` of the endpoint do. Requests reach any shard,
   * so two requests of one client may reach different shards.
   *
   * @param name - method and path, such as `GET /events/:room`
   * @throws SIM_ERR_DEFINITION_INVALID if the name is invalid or the route exists already
   */
  route(name: string, handler: Route<ShardContext>): void;
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
