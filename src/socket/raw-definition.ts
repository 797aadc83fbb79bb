/**
 * `defineRawSocket`, which defines a socket that receives plain frames, without channels.
 *
 * Runs on: shard. Each shard creates a definition once, for all connections.
 */

import type { AppContext } from "../channel/context.ts";
import type { HasAssigns } from "../channel/definition.ts";
import type { InSchema } from "../channel/schemas/declarations.ts";
import type { Typed } from "../channel/schemas/typed.ts";
import type { Until } from "../callbacks/expiry.ts";
import type { ExitReason, Ok, Refused, Reply, Stop } from "../callbacks/results.ts";
import { checkCallbacks, checkLiteralKeys } from "../definition-checks.ts";
import { checkLogLevel, type LineLevel } from "../log/logger.ts";
import type { CloseWith } from "./close-with.ts";
import { connectOf, type ConnectCallback } from "./connect-params.ts";
import type { ConnectRequest, ParamsOf } from "./connect-request.ts";
import { expiringMsOf } from "./definition.ts";
import type { ControlFrame, DataFrame, OutgoingFrame } from "./frame.ts";

/**
 * One connection, as seen by the callbacks of a raw socket.
 *
 * It may be stored and used from timers and from other sockets and channels of the shard. Once the
 * connection is gone, its methods do nothing.
 */
export interface RawSocketHandle<State = unknown, Context = object> {
  /** The state returned by `connect`. Callbacks may change or replace it. */
  state: State;
  /** The id returned by `id`, or null. */
  readonly id: string | null;
  /** Number of the connection, as in `server.sockets`. */
  readonly number: number;
  /** `websocket`, `longpoll`, or the name of a custom transport. */
  readonly transport: string;
  /** Index of the shard that serves the connection. */
  readonly shard: number;
  /** The shard's context, including the values that the endpoint's `start` returned. */
  readonly context: AppContext<Context>;
  /** False once the connection is closed or about to close. */
  readonly isOpen: boolean;
  /** False while so much data is unsent that optional frames should be skipped. */
  readonly hasRoom: boolean;

  /** Time at which the connection expires (ms since 1970); undefined if it never expires. */
  readonly expiresAtMs: number | undefined;
  /**
   * Changes the expiry of the connection, for a client that has presented a new token.
   *
   * @param state - the new state, as `connect` would return it; replaces `state`
   * @returns false, without any change, if `id` returns a different id for this state (which
   *   belongs to another user), or if the connection is gone
   * @throws SIM_ERR_OPTION_INVALID if `until` has no time in milliseconds
   */
  renew(state: State, until: Until): boolean;

  /** Sends a frame. @throws SIM_ERR_PAYLOAD if the value is not a frame */
  push(frame: OutgoingFrame): void;
  /**
   * Sends a message to this socket. `handleInfo` receives it after everything that is already
   * waiting.
   */
  send(message: unknown): void;
  /**
   * Sends a message to this socket after a delay.
   *
   * @param delayMs - 0 to 2 147 483 647
   * @returns a function that cancels the message; the end of the connection cancels it too
   */
  sendAfter(delayMs: number, message: unknown): () => void;
  /** Subscribes to a topic. Its broadcasts arrive in `handleInfo` as `{topic, event, payload}`. */
  subscribe(topic: string): void;
  /** Unsubscribes from a topic. */
  unsubscribe(topic: string): void;
}

/** Result of `handleIn` and `handleControl`. */
export type RawInResult =
  | void
  | undefined
  | Reply<string, OutgoingFrame>
  | Ok<OutgoingFrame>
  | Refused
  | Stop
  | CloseWith;
/** Result of `init`, `handleInfo`, `missed` and `expiring`. */
export type RawInfoResult = void | undefined | Stop | CloseWith;

type MaybeAsync<Value> = Value | Promise<Value>;

/** The callbacks and options of a raw socket. */
export interface RawSocketCallbacks<State, Schema = undefined, Context = object> {
  /** Schema or type of the parameters, as in `defineSocket`. */
  readonly params?: Schema;
  /**
   * Type of the values that the endpoint's `start` adds to the context: `typed<ContextOf<typeof
   * start>>()`.
   */
  readonly context?: Typed<Context>;
  /**
   * Accepts with `ok(state)` or refuses with `error(reason?)`. It may run before there is a
   * connection, and the connection may still fail afterwards.
   */
  connect(request: ConnectRequest<ParamsOf<Schema>, Context>): MaybeAsync<Ok<State> | Refused>;
  /**
   * Returns an id by which, for example, all connections of a user can be disconnected, or null for
   * no id.
   */
  id?(socket: { readonly state: NoInfer<State> }): string | null;
  /** Runs when the connection is open, before its first frame is handled. */
  init?(socket: RawSocketHandle<NoInfer<State>, Context>): MaybeAsync<RawInfoResult>;
  /** Handles a frame from the client. */
  handleIn(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    frame: DataFrame,
  ): MaybeAsync<RawInResult>;
  /** Handles pings, which the transport has answered already, and pongs. WebSocket only. */
  handleControl?(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    frame: ControlFrame,
  ): MaybeAsync<RawInResult>;
  /** Handles messages from `send` and `sendAfter`, and broadcasts of topics from `subscribe`. */
  handleInfo?(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    message: unknown,
  ): MaybeAsync<RawInfoResult>;
  /**
   * Called if broadcasts of a subscribed topic were lost on their way to this thread. Without it the
   * connection is closed with 1011, and the client connects again.
   */
  missed?(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    topic: string,
  ): MaybeAsync<RawInfoResult>;
  /** Called before the connection expires, with the time left (ms), unless it is renewed. */
  expiring?(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    leftMs: number,
  ): MaybeAsync<RawInfoResult>;
  /**
   * Runs once when a connection that was open has ended. The reason is that of `stop` or `closeWith`,
   * or one of these:
   *
   * - `remote`: the client closed it; `closed`: it broke, or was cut because the client was too
   *   slow
   * - `timeout`: the client was idle for too long; `{ shutdown: "inactive" }`: the client stopped
   *   polling
   * - `shutdown`: the shard is closing; `{ shutdown: "disconnected" }`: it was disconnected by its
   *   id
   * - `{ shutdown: "expired" }`: it expired
   * - an error: a callback threw, or a limit was exceeded
   */
  terminate?(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    reason: ExitReason,
  ): MaybeAsync<void>;
  /** Time before the expiry at which `expiring` runs (ms); 0: never. Default: 60 000. */
  readonly expiringMs?: number;
  /** Level at which connections are logged; false: connections are not logged. Default: `info`. */
  readonly log?: LineLevel | false;
}

/** A raw socket's definition. */
export interface RawSocketDefinition<Context = unknown> extends HasAssigns<unknown, Context> {
  readonly connect: ConnectCallback;
  readonly id: (socket: { readonly state: unknown }) => unknown;
  readonly init: ((socket: object) => unknown) | undefined;
  readonly handleIn: (socket: object, frame: DataFrame) => unknown;
  readonly handleControl: ((socket: object, frame: ControlFrame) => unknown) | undefined;
  readonly handleInfo: ((socket: object, message: unknown) => unknown) | undefined;
  readonly missed: ((socket: object, topic: string) => unknown) | undefined;
  readonly expiring: ((socket: object, leftMs: number) => unknown) | undefined;
  readonly expiringMs: number;
  readonly terminate: ((socket: object, reason: ExitReason) => unknown) | undefined;
  readonly log: LineLevel | false;
}

/** Names of the optional callbacks. */
const OPTIONAL = [
  "id",
  "init",
  "handleControl",
  "handleInfo",
  "missed",
  "expiring",
  "terminate",
] as const;
const KEYS = [
  ...OPTIONAL,
  ...Object.keys({
    params: true,
    context: true,
    connect: true,
    handleIn: true,
    expiringMs: true,
    log: true,
  } satisfies Record<Exclude<keyof RawSocketCallbacks<unknown>, (typeof OPTIONAL)[number]>, true>),
];

/**
 * Defines a raw socket. One callback of a connection runs at a time, even if it is asynchronous. If
 * one throws, its connection is closed with 1011; no other connection is affected.
 *
 * @throws SIM_ERR_DEFINITION_INVALID if an object literal has an unknown key, a callback is not a
 *   function, or `log` is not a log level
 */
export function defineRawSocket<
  State,
  Schema extends InSchema | undefined = undefined,
  Context = object,
>(callbacks: RawSocketCallbacks<State, Schema, Context>): RawSocketDefinition<Context> {
  checkLiteralKeys("raw socket", callbacks, KEYS);
  checkCallbacks(callbacks, { required: ["connect", "handleIn"], optional: OPTIONAL });
  checkLogLevel("log", callbacks.log);
  return {
    connect: connectOf(callbacks.connect.bind(callbacks) as ConnectCallback, callbacks.params),
    id: (callbacks.id?.bind(callbacks) ?? ((): null => null)) as RawSocketDefinition["id"],
    init: callbacks.init?.bind(callbacks) as RawSocketDefinition["init"],
    handleIn: callbacks.handleIn.bind(callbacks) as RawSocketDefinition["handleIn"],
    handleControl: callbacks.handleControl?.bind(callbacks) as RawSocketDefinition["handleControl"],
    handleInfo: callbacks.handleInfo?.bind(callbacks) as RawSocketDefinition["handleInfo"],
    missed: callbacks.missed?.bind(callbacks) as RawSocketDefinition["missed"],
    expiring: callbacks.expiring?.bind(callbacks) as RawSocketDefinition["expiring"],
    expiringMs: expiringMsOf(callbacks.expiringMs),
    terminate: callbacks.terminate?.bind(callbacks) as RawSocketDefinition["terminate"],
    log: callbacks.log ?? "info",
  };
}
