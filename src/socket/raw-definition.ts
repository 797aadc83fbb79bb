/**
 * How a user defines a raw socket: one that gets frames as they are, without channels (WIRE §4.5).
 *
 * Runs on: shard; the definition is made once for each, and serves all connections.
 */

import type { AppContext } from "../channel/context.ts";
import type { HasAssigns } from "../channel/definition.ts";
import type { InSchema } from "../channel/schemas/declarations.ts";
import type { Typed } from "../channel/schemas/typed.ts";
import type { Until } from "../callbacks/expiry.ts";
import type { ExitReason, Ok, Refused, Reply, Stop } from "../callbacks/results.ts";
import { checkCallbacks } from "../definition-checks.ts";
import { checkLogLevel, type LineLevel } from "../log/logger.ts";
import type { CloseWith } from "./close-with.ts";
import { connectOf, type ConnectCallback } from "./connect-params.ts";
import type { ConnectRequest, ParamsOf } from "./connect-request.ts";
import { expiringMsOf } from "./definition.ts";
import type { ControlFrame, DataFrame, OutgoingFrame } from "./frame.ts";

/**
 * One connection, as the callbacks of a raw socket see it.
 *
 * It may be kept, and used from a timer, from other sockets and channels of the shard. Once the
 * connection is gone nothing of it does anything.
 */
export interface RawSocketHandle<State = unknown, Context = object> {
  /** What `connect` gave; the callbacks' own to change or replace. */
  state: State;
  /** What `id` gave, or null. */
  readonly id: string | null;
  /** Number of the connection, as `server.sockets` has it. */
  readonly number: number;
  /** `websocket`, `longpoll`, or the name of a transport of yours. */
  readonly transport: string;
  /** Index of the shard that serves it. */
  readonly shard: number;
  /** The shard's context, with what `start` of the endpoint added. */
  readonly context: AppContext<Context>;
  /** False once the connection is gone, or about to go. */
  readonly isOpen: boolean;
  /** False while so much waits for the client that what may be left out should be. */
  readonly hasRoom: boolean;

  /** Until when the connection may last (ms since 1970); undefined: for ever. */
  readonly expiresAtMs: number | undefined;
  /**
   * Has the connection last longer, or shorter: its client has shown a new token.
   *
   * @param state - what `connect` would give; it replaces `state`
   * @returns false, and nothing has changed, where `id` says that this is somebody else's, or the
   *   connection is gone
   * @throws SIM_ERR_OPTION_INVALID where `until` has no time in milliseconds
   */
  renew(state: State, until: Until): boolean;

  /** Sends a frame. @throws SIM_ERR_PAYLOAD for what is none */
  push(frame: OutgoingFrame): void;
  /** Gives this socket a message: its `handleInfo` gets it after what waits already. */
  send(message: unknown): void;
  /**
   * Gives this socket a message after a time.
   *
   * @param delayMs - 0 to 2 147 483 647
   * @returns a function that cancels it; the end of the connection does so as well
   */
  sendAfter(delayMs: number, message: unknown): () => void;
  /** Listens to a topic: its broadcasts come to `handleInfo` as `{topic, event, payload}`. */
  subscribe(topic: string): void;
  /** Stops listening to a topic. */
  unsubscribe(topic: string): void;
}

/** What `handleIn` and `handleControl` may give. */
export type RawInResult =
  | void
  | undefined
  | Reply<string, OutgoingFrame>
  | Ok<OutgoingFrame>
  | Refused
  | Stop
  | CloseWith;
/** What `init`, `handleInfo` and `missed` may give. */
export type RawInfoResult = void | undefined | Stop | CloseWith;

type MaybeAsync<Value> = Value | Promise<Value>;

/** The callbacks and options of a raw socket. */
export interface RawSocketCallbacks<State, Schema = undefined, Context = object> {
  /** Schema, or type, of the parameters, as of `defineSocket`. */
  readonly params?: Schema;
  /** Type of what `start` of the endpoint adds to the context: `typed<ContextOf<typeof start>>()`. */
  readonly context?: Typed<Context>;
  /**
   * Accepts with `ok(state)` or refuses with `error(reason?)`. It may run before there is a
   * connection, and where there will be none.
   */
  connect(request: ConnectRequest<ParamsOf<Schema>, Context>): MaybeAsync<Ok<State> | Refused>;
  /** Name by which all connections of, say, a user are disconnected; null: none. */
  id?(socket: { readonly state: NoInfer<State> }): string | null;
  /** Runs when the connection is open, before its first frame is handled. */
  init?(socket: RawSocketHandle<NoInfer<State>, Context>): MaybeAsync<RawInfoResult>;
  /** Takes a frame of the client. */
  handleIn(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    frame: DataFrame,
  ): MaybeAsync<RawInResult>;
  /** Is told of pings, which the transport has answered, and of pongs. Over WebSocket only. */
  handleControl?(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    frame: ControlFrame,
  ): MaybeAsync<RawInResult>;
  /** Takes what `send`, `sendAfter` and `subscribe` bring. */
  handleInfo?(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    message: unknown,
  ): MaybeAsync<RawInfoResult>;
  /**
   * Is told that broadcasts of a topic it listens to were lost on their way to this thread.
   * Without it the connection is closed with 1011, and the client connects anew.
   */
  missed?(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    topic: string,
  ): MaybeAsync<RawInfoResult>;
  /** Is told that the connection has so much time left (ms), unless it is renewed. */
  expiring?(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    leftMs: number,
  ): MaybeAsync<RawInfoResult>;
  /**
   * Runs when the connection has ended, once, where `init` was to run. The reason is what `stop`
   * or `closeWith` gave, or else:
   *
   * - `remote`: the client closed it; `closed`: it broke, or was cut as the client reads too slowly
   * - `timeout`: nothing came for the idle timeout; `{ shutdown: "inactive" }`: it did not poll
   * - `shutdown`: the shard closes; `{ shutdown: "disconnected" }`: it was, by its id
   * - `{ shutdown: "expired" }`: its time was over
   * - an error: a callback threw, or a limit was passed
   */
  terminate?(
    socket: RawSocketHandle<NoInfer<State>, Context>,
    reason: ExitReason,
  ): MaybeAsync<void>;
  /** How long before its end `expiring` runs (ms); 60 000 without, 0 for never. */
  readonly expiringMs?: number;
  /** Level at which connections are logged, `info` without; false: not at all. */
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

/** Callbacks that may be left out. */
const OPTIONAL = [
  "id",
  "init",
  "handleControl",
  "handleInfo",
  "missed",
  "expiring",
  "terminate",
] as const;

/**
 * Defines a raw socket. One callback of a connection runs at a time, also where it is
 * asynchronous; what one throws closes its connection with 1011, and harms no other.
 *
 * @throws SIM_ERR_DEFINITION_INVALID where a callback is no function, or `log` no level
 */
export function defineRawSocket<
  State,
  Schema extends InSchema | undefined = undefined,
  Context = object,
>(callbacks: RawSocketCallbacks<State, Schema, Context>): RawSocketDefinition<Context> {
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
