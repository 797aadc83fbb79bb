/**
 * How a user defines a transport of their own: whatever brings frames of clients to a shard, and
 * takes frames for them, as WebSocket and long-poll do (WIRE §4.5).
 *
 * Runs on: shard; the definition is made once for each.
 */

import type { ShardContext } from "../../channel/context.ts";
import { checkCallbacks, invalid, shown } from "../../definition-checks.ts";
import type { ConnectInfo, Params } from "../../socket/connect-request.ts";
import type { ControlOpcode } from "../../socket/frame.ts";
import type { Route, RouteRequest } from "../http/routes.ts";

/** A request to connect, as the transport has read it. */
export interface TransportRequest {
  /** Path of a socket of the endpoint, with values in the place of its variables. */
  readonly path: string;
  /** Parameters of the connection, as `connect` gets them; `vsn` among them, or it is 1.0.0. */
  readonly params?: Params;
  /** What `connect` is told of the client: whatever the transport knows. */
  readonly connectInfo?: ConnectInfo;
  /**
   * The request of a route by which the client asks. The mount's handshake applies, as it does to
   * WebSocket: `checkOrigin` is asked, the query is parsed into `params`, and `connectInfo` is what
   * the mount wants to know.
   */
  readonly http?: RouteRequest;
}

/** What became of a request to connect. */
export type TransportDecision =
  | {
      readonly result: "ok";
      /** The socket's id, or null. */
      readonly id: string | null;
      /** Opens the connection, once: from now on frames go both ways. */
      open(client: TransportClient): TransportConnection;
    }
  /** The reason is that of `error(reason)` of the socket's `connect`; undefined: none. */
  | { readonly result: "refused"; readonly reason: unknown }
  /** Over a rate limit: the client may come again after that. */
  | { readonly result: "limited"; readonly retryAfterMs: number }
  /** `connect` threw, which was logged. */
  | { readonly result: "failed" }
  /** The shard closes, or the node does: the client is to come back. */
  | { readonly result: "unavailable" };

/** A client, as the transport gives it. What one of these throws ends the connection. */
export interface TransportClient {
  /** Sends a frame: text, or bytes of its own. Not once `close` was called. */
  send(frame: string | Uint8Array): void;
  /**
   * Ends the connection: a code and a text, for clients that can be told. 1006 tells nobody: the
   * client takes nothing.
   */
  close(code: number, text: string): void;
  /** Asks the client for a pong. Absent if the transport has no such thing. */
  ping?(data: Uint8Array): void;
  /**
   * Bytes that wait for the client to take them; without it there are none. Beyond
   * `maxBackpressureBytes` the client is a slow one.
   */
  readonly bufferedBytes?: number;
}

/** A connection, as the transport holds it. */
export interface TransportConnection {
  /** Its number, as `server.sockets` has it. */
  readonly number: number;
  /** False once it has ended, whoever ended it. */
  readonly isOpen: boolean;
  /** Takes a frame of the client: text, or bytes, which may be used again when this returns. */
  receive(frame: string | Uint8Array): void;
  /** Takes a ping of the client, which the transport has answered, or a pong. */
  control(opcode: ControlOpcode, data?: Uint8Array): void;
  /** Notes that the client has taken some of what waited for it. */
  drained(): void;
  /**
   * Ends the connection of a client that is gone, with the code that it gave; 1006 by default.
   * `close` of the client is not called for that.
   */
  closed(code?: number): void;
}

/** What a transport is given. */
export interface TransportHost {
  /** The shard's context, as `start` of the endpoint left it. */
  readonly context: ShardContext;
  /**
   * Asks a socket's `connect` and `id` whether a client may connect.
   *
   * @throws SIM_ERR_OPTION_INVALID if no socket has the path, as a rejection
   */
  connect(request: TransportRequest): Promise<TransportDecision>;
  /**
   * Answers HTTP requests on the server's port, as `routes` of the endpoint do. They come to any
   * shard: two requests of one client may come to different ones.
   *
   * @param name - method and path, as in `GET /events/:room`
   * @throws SIM_ERR_DEFINITION_INVALID for a name that is none, or of a route that there is already
   */
  route(name: string, handler: Route<ShardContext>): void;
}

/** The callbacks of a transport. */
export interface TransportCallbacks {
  /** What sockets call it: `transport` of `connect`, sockets and channels. */
  readonly name: string;
  /**
   * Begins to bring clients. It runs in each shard, after the endpoint's `start`; what it throws
   * fails `serve`. While a shard is restarted two threads run it.
   */
  start(host: TransportHost): void | Promise<void>;
  /** Brings no more clients. It runs once, as the shard closes; connections are ended for it. */
  stop?(): void | Promise<void>;
}

/** A transport's definition, as a shard uses it. */
export interface TransportDefinition {
  readonly name: string;
  readonly start: (host: TransportHost) => unknown;
  readonly stop: () => unknown;
}

/** Names that sockets know others by. */
const TAKEN: readonly string[] = ["websocket", "longpoll"];

/**
 * Defines a transport, to be listed as one of `transports` of the endpoint.
 *
 * @throws SIM_ERR_DEFINITION_INVALID for a name that is none or taken, or a callback that is no
 *   function
 */
export function defineTransport(callbacks: TransportCallbacks): TransportDefinition {
  const { name } = callbacks as { readonly name: unknown };
  if (typeof name !== "string" || name === "" || TAKEN.includes(name)) {
    throw invalid(`name must be a name other than ${TAKEN.join(" and ")}, got ${shown(name)}`);
  }
  checkCallbacks(callbacks, { required: ["start"], optional: ["stop"] });
  return {
    name,
    start: callbacks.start.bind(callbacks),
    stop: callbacks.stop?.bind(callbacks) ?? ((): void => {}),
  };
}
