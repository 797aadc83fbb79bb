/**
 * How a user defines a socket: who may connect, and who they are.
 *
 * Runs on: shard; the definition is made once for each.
 */

import type { HasAssigns } from "../channel/definition.ts";
import type { InSchema } from "../channel/schemas/declarations.ts";
import type { Typed } from "../channel/schemas/typed.ts";
import type { Ok, Refused } from "../callbacks/results.ts";
import { checkCallbacks, checkChoice, invalid } from "../definition-checks.ts";
import { checkLogLevel, type LineLevel } from "../log/logger.ts";
import { connectOf, type ConnectCallback } from "./connect-params.ts";
import type { ConnectRequest, ParamsOf } from "./connect-request.ts";
import type { ControlFrame } from "./frame.ts";
import { checkSocketLimits, type SocketLimits } from "./limits.ts";

type ConnectResult<Assigns> = Ok<Assigns> | Refused;

/** The callbacks and options of a socket. */
export interface SocketCallbacks<Assigns, Schema = undefined, Context = object> {
  /**
   * Schema, or type, of the parameters: of any Standard Schema library, or `typed()`. A request that
   * does not match is refused with reason `{reason: "invalid_params", issues}`, and `connect` does not
   * run. The schema gets all parameters as strings, including the client's `vsn`.
   */
  readonly params?: Schema;
  /** Type of what `start` of the endpoint adds to the context: `typed<ContextOf<typeof start>>()`. */
  readonly context?: Typed<Context>;
  /** Accepts with `ok(assigns)` or refuses with `error(reason?)`. */
  connect(
    request: ConnectRequest<ParamsOf<Schema>, Context>,
  ): ConnectResult<Assigns> | Promise<ConnectResult<Assigns>>;
  /** Name by which all connections of, say, a user are disconnected; null: none. */
  id?(socket: { readonly assigns: NoInfer<Assigns> }): string | null;
  /**
   * Is told of pings, which the transport has answered, and of pongs. Over WebSocket only. What it
   * throws closes the connection with 1011.
   */
  handleControl?(socket: ControlSocket<NoInfer<Assigns>>, frame: ControlFrame): void;
  /**
   * `async` (default): a slow join holds up its own topic only. `serial`: Phoenix's way, a
   * connection does one thing after the other, and reads all that came before channels run.
   */
  readonly joins?: "async" | "serial";
  /**
   * What meets a client for which more than `maxBackpressureBytes` wait, and do not get less.
   * `close` (default): its connection is cut, and it connects and joins anew. `error`: its
   * channels end with phx_error `client too slow`, which it reads when it has taken what waits,
   * and joins them anew; the connection stays. Channels with `slow` are neither's affair.
   */
  readonly slowClients?: SlowClientPolicy;
  /** Rate limits of its connections, of users and of addresses; none without. */
  readonly limits?: SocketLimits;
  /**
   * How long before its end a connection that ends at a time has its channels told, by their
   * `expiring` (ms); 60 000 without, 0 for never. See `ok(assigns, { expiresAtMs })`.
   */
  readonly expiringMs?: number;
  /** Level at which connections are logged, `info` without; false: not at all. */
  readonly log?: LineLevel | false;
}

/** A connection, as `handleControl` sees it. */
export interface ControlSocket<Assigns> {
  readonly id: string | null;
  readonly assigns: Readonly<Assigns>;
  readonly transport: string;
}

/** What meets a client that reads too slowly. */
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

const DEFAULT_EXPIRING_MS = 60_000;
const LONGEST_EXPIRING_MS = 86_400_000;

/**
 * Gives how long before its end a connection is warned.
 *
 * @throws SIM_ERR_DEFINITION_INVALID where that is no time
 */
export function expiringMsOf(value: unknown = DEFAULT_EXPIRING_MS): number {
  if (typeof value === "number" && value >= 0 && value <= LONGEST_EXPIRING_MS) return value;
  const rule = `be a number from 0 to ${LONGEST_EXPIRING_MS} (ms)`;
  throw invalid(`expiringMs must ${rule}, got ${String(value)}`);
}

/**
 * Defines a socket.
 *
 * @throws SIM_ERR_DEFINITION_INVALID where a callback is no function, or an option none of its values
 */
export function defineSocket<
  Assigns,
  Schema extends InSchema | undefined = undefined,
  Context = object,
>(callbacks: SocketCallbacks<Assigns, Schema, Context>): SocketDefinition<Assigns, Context> {
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
