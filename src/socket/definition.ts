/**
 * How a user defines a socket: who may connect, and who they are.
 *
 * Runs on: shard; the definition is made once for each.
 */

import type { ShardContext } from "../channel/context.ts";
import type { HasAssigns } from "../channel/definition.ts";
import type { Ok, Refused } from "../channel/results.ts";
import { makeError } from "../errors.ts";

/** Parameters of a connection: strings, or nested as `a[b]=1` and `a[]=1` nest them. */
export type Params = Readonly<Record<string, string | undefined>> &
  Readonly<Record<string, unknown>>;

/** What `connect` may decide by. */
export interface ConnectRequest {
  /** Query parameters and path variables; the variables win. */
  readonly params: Params;
  /** What the transport knows of the client. */
  readonly connectInfo: ConnectInfo;
  /** The shard's context, as `start` of the endpoint left it. */
  readonly context: ShardContext;
}

/** What the transport knows of a client. */
export interface ConnectInfo {
  readonly peer: { readonly address: string };
  readonly uri: { readonly path: string; readonly query: string; readonly host: string };
  readonly userAgent: string | null;
  /** Headers whose name starts with `x-`. */
  readonly xHeaders: Readonly<Record<string, string>>;
}

type ConnectResult<Assigns> = Ok<Assigns> | Refused;

/** The callbacks and options of a socket. */
export interface SocketCallbacks<Assigns> {
  /** Accepts with `ok(assigns)` or refuses with `error(reason?)`. */
  connect(request: ConnectRequest): ConnectResult<Assigns> | Promise<ConnectResult<Assigns>>;
  /** Name by which all connections of, say, a user are disconnected; null: none. */
  id?(socket: { readonly assigns: NoInfer<Assigns> }): string | null;
  /**
   * `async` (default): a slow join holds up its own topic only. `serial`: Phoenix's way, a
   * connection does one thing after the other, and reads all that came before channels run.
   */
  readonly joins?: "async" | "serial";
}

/** A socket's definition, as the runtime uses it. */
export interface SocketDefinition<Assigns = unknown> extends HasAssigns<Assigns> {
  readonly connect: (request: ConnectRequest) => unknown;
  readonly id: (socket: { readonly assigns: object }) => unknown;
  readonly isSerial: boolean;
}

/**
 * Defines a socket.
 *
 * @throws SIM_ERR_DEFINITION_INVALID where a callback is no function, or `joins` is unknown
 */
export function defineSocket<Assigns>(
  callbacks: SocketCallbacks<Assigns>,
): SocketDefinition<Assigns> {
  const { joins = "async" } = callbacks;
  if (typeof callbacks.connect !== "function") {
    throw invalid(`connect must be a function, got ${typeof callbacks.connect}`);
  }
  if (callbacks.id !== undefined && typeof callbacks.id !== "function") {
    throw invalid(`id must be a function, got ${typeof callbacks.id}`);
  }
  if (joins !== "async" && joins !== "serial") {
    throw invalid(`joins must be "async" or "serial", got ${String(joins)}`);
  }
  return {
    connect: callbacks.connect.bind(callbacks),
    id: (callbacks.id?.bind(callbacks) ?? ((): null => null)) as SocketDefinition["id"],
    isSerial: joins === "serial",
  };
}

function invalid(message: string): Error {
  return makeError("SIM_ERR_DEFINITION_INVALID", message);
}
