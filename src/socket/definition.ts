/**
 * `defineSocket`, which defines who may connect and how clients are identified.
 *
 * Runs on: shard. Each shard creates a definition once.
 */

import type { HasAssigns } from "../channel/definition.ts";
import type { InSchema } from "../channel/schemas/declarations.ts";
import type { Typed } from "../channel/schemas/typed.ts";
import type { Ok, Refused } from "../callbacks/results.ts";
import { checkCallbacks, checkChoice, checkLiteralKeys, invalid } from "../definition-checks.ts";
import { checkLogLevel, type LineLevel } from "../log/logger.ts";
import { connectOf, type ConnectCallback } from "./connect-params.ts";
import type { ConnectRequest, ParamsOf } from "./connect-request.ts";
import type { ControlFrame } from "./frame.ts";
import { checkSocketLimits, type SocketLimits } from "./limits.ts";

type ConnectResult<Assigns> = Ok<Assigns> | Refused;

/** The callbacks and options of a socket. */
export interface SocketCallbacks<Assigns, Schema = undefined, Context = object> {
  /**
   * Schema or type of the parameters, from any Standard Schema library or `typed()`. A request that
   * does not match is refused with reason `{reason: "invalid_params", issues}`, and `connect` does
   * not run. The schema receives all parameters as strings, including the client's `vsn`.
   */
  readonly params?: Schema;
  /**
   * Type of the values that the endpoint's `start` adds to the context: `typed<ContextOf<typeof
   * start>>()`.
   */
  readonly context?: Typed<Context>;
  /** Accepts with `ok(assigns)` or refuses with `error(reason?)`. */
  connect(
    request: ConnectRequest<ParamsOf<Schema>, Context>,
  ): ConnectResult<Assigns> | Promise<ConnectResult<Assigns>>;
  /**
   * Returns an id by which, for example, all connections of a user can be disconnected, or null for
   * no id.
   */
  id?(socket: { readonly assigns: NoInfer<Assigns> }): string | null;
  /**
   * Called with pings, which the transport has answered already, and with pongs. WebSocket only. If
   * it throws, the connection is closed with 1011.
   */
  handleControl?(socket: ControlSocket<NoInfer<Assigns>>, frame: ControlFrame): void;
  /**
   * `async` (default): a slow join delays its own topic only. `serial`: as in Phoenix, a connection
   * handles one message after the other, and reads everything that has arrived before channels run.
   */
  readonly joins?: "async" | "serial";
  /**
   * Policy for a client that reads too slowly, so that more than `maxBackpressureBytes` stay
   * unsent. `close` (default): the connection is cut, and the client connects and joins again.
   * `error`: the connection stays and the channels end with phx_error `client too slow`; the client
   * reads that after all unsent frames, and joins again. Channels with `slow` are not affected.
   */
  readonly slowClients?: SlowClientPolicy;
  /** Rate limits for connections, ids and addresses. Default: none. */
  readonly limits?: SocketLimits;
  /**
   * Time before a connection's expiry at which `expiring` of its channels runs (ms); 0: never.
   * Default: 60 000. See `ok(assigns, { expiresAtMs })`.
   */
  readonly expiringMs?: number;
  /** Level at which connections are logged; false: connections are not logged. Default: `info`. */
  readonly log?: LineLevel | false;
}

/** A connection, as seen by `handleControl`. */
export interface ControlSocket<Assigns> {
  readonly id: string | null;
  readonly assigns: Readonly<Assigns>;
  readonly transport: string;
}

/** Policy for clients that read too slowly. */
export type SlowClientPolicy = "close" | "error";

/** A socket's definition. */
export interface SocketDefinition<Assigns = unknown, Context = unknown> extends HasAssigns<
  Assigns,
  Context
> {
  readonly connect: ConnectCallback;
  readonly id: (socket: { readonly assigns: object }) => unknown;
  readonly handleControl: ((socket: object, frame: ControlFrame) => unknown) | undefined;
  readonly isSerial: boolean;
  readonly slowClients: SlowClientPolicy;
  readonly limits: SocketLimits | undefined;
  readonly expiringMs: number;
  readonly log: LineLevel | false;
}

const KEYS = Object.keys({
  params: true,
  context: true,
  connect: true,
  id: true,
  handleControl: true,
  joins: true,
  slowClients: true,
  limits: true,
  expiringMs: true,
  log: true,
} satisfies Record<keyof SocketCallbacks<unknown>, true>);
const DEFAULT_EXPIRING_MS = 60_000;
const LONGEST_EXPIRING_MS = 86_400_000;

/**
 * Returns the time between the warning of a connection and its expiry (ms).
 *
 * @throws SIM_ERR_DEFINITION_INVALID if the value is out of range
 */
export function expiringMsOf(value: unknown = DEFAULT_EXPIRING_MS): number {
  if (typeof value === "number" && value >= 0 && value <= LONGEST_EXPIRING_MS) return value;
  const rule = `be a number from 0 to ${LONGEST_EXPIRING_MS} (ms)`;
  throw invalid(`expiringMs must ${rule}, got ${String(value)}`);
}

/**
 * Defines a socket.
 *
 * @throws SIM_ERR_DEFINITION_INVALID if an object literal has an unknown key, a callback is not a
 *   function, or an option is invalid
 */
export function defineSocket<
  Assigns,
  Schema extends InSchema | undefined = undefined,
  Context = object,
>(callbacks: SocketCallbacks<Assigns, Schema, Context>): SocketDefinition<Assigns, Context> {
  checkLiteralKeys("socket", callbacks, KEYS);
  checkCallbacks(callbacks, { required: ["connect"], optional: ["id", "handleControl"] });
  checkLogLevel("log", callbacks.log);
  const { joins = "async", slowClients = "close", limits, log = "info" } = callbacks;
  checkChoice("joins", joins, ["async", "serial"]);
  checkChoice("slowClients", slowClients, ["close", "error"]);
  if (limits !== undefined) checkSocketLimits(limits);
  return {
    connect: connectOf(callbacks.connect.bind(callbacks) as ConnectCallback, callbacks.params),
    id: (callbacks.id?.bind(callbacks) ?? ((): null => null)) as SocketDefinition["id"],
    handleControl: callbacks.handleControl?.bind(callbacks) as SocketDefinition["handleControl"],
    isSerial: joins === "serial",
    slowClients,
    limits,
    expiringMs: expiringMsOf(callbacks.expiringMs),
    log,
  };
}
