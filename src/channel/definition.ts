/**
 * `defineChannel`, and the types from which everything in a channel is inferred.
 *
 * Runs on: shard. Each shard creates a definition once, for all joins.
 */

import {
  checkCallbacks,
  checkChoice,
  checkCount,
  checkFunction,
  checkLiteralKeys,
  invalid,
} from "../definition-checks.ts";
import { checkLogLevel, type LineLevel } from "../log/logger.ts";
import { checkOption } from "../options/options.ts";
import type { AnyTasks, ChannelSocket } from "./channel-socket.ts";
import type {
  AnyOut,
  ChannelTypes,
  ClientCalls,
  InCallbacks,
  InDeclarations,
  InPayload,
  InSchema,
  OkPayload,
  OutCallback,
  OutDeclarations,
  OutPayloads,
  Sent,
  SentPayload,
} from "./schemas/declarations.ts";
import { channelLimiterOf, type ChannelLimiter, type ChannelLimits } from "./limits.ts";
import { inHandlersOf, joinOf, ratesOf, type InHandler } from "./schemas/in-handlers.ts";
import { OutWriters } from "./schemas/out-writers.ts";
import type { ExitReason, HandleOutResult, JoinResult } from "../callbacks/results.ts";
import type { Typed } from "./schemas/typed.ts";
import type { TopicHistory } from "../pubsub/kept-topics.ts";
import { historyOf, type HistoryOption } from "./history-option.ts";
import { isVerbatim } from "./verbatim.ts";

declare const ASSIGNS: unique symbol;
declare const CONTEXT: unique symbol;
declare const TYPES: unique symbol;
declare const SOCKET: unique symbol;

/** A socket's definition, from which its channels infer the types of assigns and context. */
export interface HasAssigns<Assigns, Context = object> {
  readonly [ASSIGNS]?: Assigns;
  readonly [CONTEXT]?: Context;
}

/** The assigns and the context that a channel requires. Exists at compile time only. */
export interface DefinedFor<Assigns, Context> {
  readonly [SOCKET]?: (assigns: Assigns, context: Context) => void;
}

/** The callbacks of a channel. */
export interface ChannelCallbacks<
  Socket = ChannelSocket,
  Locals = Record<string, unknown>,
  Params = undefined,
  In = undefined,
  Out = AnyOut,
  Info = unknown,
  Tasks = AnyTasks,
  Joined = JoinResult,
  Handlers = InCallbacks<Socket, In>,
> {
  /**
   * Schema or type of the join's parameters. Parameters that do not match are refused with
   * `{reason: "invalid_payload", issues}`, and `join` is not called.
   */
  readonly params?: Params;
  /**
   * Messages from clients, by event: a schema, a type, or an InEvent with further rules. A message
   * that breaks the rules is answered with an error, and its handler is not called:
   * `{reason: "invalid_payload", issues}` if the payload does not match,
   * `{reason: "payload_too_large", max_bytes}` if it has more than `maxBytes`,
   * `{reason: "rate_limited", retry_after}` if the client exceeds the `rate`.
   */
  readonly in?: In;
  /**
   * Messages that the channel sends, by event: a type or a JSON Schema. The compiler then rejects
   * pushes and broadcasts of all other events. A JSON Schema that forbids fields is
   * compiled: fields that it does not allow are not sent, and payloads that do not match otherwise
   * are refused with SIM_ERR_PAYLOAD.
   */
  readonly out?: Out;
  /** Type of the messages for `send` and `sendAfter`, as in `typed<"tick">()`. */
  readonly info?: Typed<Info>;
  /** Type of the tasks module, as in `typed<typeof tasks>()`. */
  readonly tasks?: Typed<Tasks>;
  /** Creates a channel's `locals` on first use. */
  locals?(): Locals;
  /** Accepts or refuses a join; `ok(payload)` answers with the payload. */
  join(socket: Socket, payload: InPayload<Params>): Joined | Promise<Joined>;
  /**
   * Runs after an accepted join is answered, before any other callback. From then on the channel
   * may push and broadcast.
   */
  joined?(socket: Socket): HandleOutResult | Promise<HandleOutResult>;
  /**
   * Handlers for messages from the client, by event. The payload is parsed JSON, or a Uint8Array
   * owned by the handler if the client sent bytes. `verbatim` creates a handler that receives the
   * payload as sent by the client. An event without a handler crashes the channel.
   */
  readonly handleIn?: Handlers;
  /**
   * Handlers for broadcasts, by event. These broadcasts go to the handler instead of the client;
   * the handler may push.
   */
  readonly intercept?: {
    readonly [Event in keyof Out]?: OutCallback<Socket, Sent<Out[Event]>>;
  };
  /**
   * Handles messages from `send` and `sendAfter`, and broadcasts to topics passed to `subscribe`.
   */
  handleInfo?(socket: Socket, message: Info): HandleOutResult | Promise<HandleOutResult>;
  /**
   * Runs before the connection expires, with the remaining time (ms): `expiringMs` of the socket
   * before the expiry, or when half of the time remains if that is later. Renewing the connection
   * reschedules it. It runs in each joined channel that defines it; it is sufficient if one of them
   * can push to the client.
   */
  expiring?(socket: Socket, leftMs: number): HandleOutResult | Promise<HandleOutResult>;
  /** Runs when the channel ends, unless a rejoin of the same topic replaces it. */
  terminate?(socket: Socket, reason: ExitReason): void | Promise<void>;
  /**
   * Allows a client that is too slow for the broadcasts of this channel to miss some of them. If
   * undefined, `slowClients` of the socket applies. `conflate` keeps the latest broadcast of each
   * event, `drop-oldest` the latest broadcasts of all events. Only broadcasts are dropped. Pushes,
   * replies and intercepted events are never dropped, and overtake waiting broadcasts.
   */
  readonly slow?: SlowPolicy;
  /** With `slow`: maximum number of broadcasts waiting for one client. Default: 64. */
  readonly queue?: number;
  /**
   * Keeps the broadcasts of each topic, so that clients which were away get what they missed. Default:
   * none. Cannot be combined with `slow`.
   */
  readonly history?: HistoryOption;
  /**
   * With `slow`: runs when a client that has missed broadcasts has been sent all waiting
   * broadcasts. Its pushes arrive after those.
   */
  missed?(socket: Socket, count: number): HandleOutResult | Promise<HandleOutResult>;
  /**
   * Time limit for an asynchronous `join` (ms). Default: `joinTimeoutMs` of the server. When it
   * elapses, the client receives `join timeout` and may rejoin. The result of the late join is
   * ignored and `terminate` does not run, as for a join that throws: `join` must release its
   * resources itself.
   */
  readonly joinTimeoutMs?: number;
  /** Rate limits for one connection on one topic. Default: none. */
  readonly limits?: ChannelLimits;
  /** Level at which joins are logged, or false to disable logging. Default: `info`. */
  readonly logJoin?: LineLevel | false;
  /** Level at which handled messages are logged, or false to disable logging. Default: `debug`. */
  readonly logHandleIn?: LineLevel | false;
}

/** Selects the broadcasts that are kept for a client that is too slow for all of them. */
export type SlowPolicy = "conflate" | "drop-oldest";

/** Settings for clients that are too slow for a channel's broadcasts. */
export interface SlowChannel {
  readonly policy: SlowPolicy;
  /** Maximum number of waiting broadcasts. */
  readonly bound: number;
}

/** A channel's definition. Without type arguments, any definition. */
export interface ChannelDefinition<
  Types extends ChannelTypes = ChannelTypes,
  Assigns = never,
  Context = never,
> extends DefinedFor<Assigns, Context> {
  /** Types for clients and the host. Exists at compile time only. */
  readonly [TYPES]?: Types;
  readonly locals: () => unknown;
  readonly join: (socket: object, payload: unknown) => unknown;
  readonly joined: ((socket: object, nothing: unknown) => unknown) | undefined;
  readonly handleIn: ReadonlyMap<unknown, InHandler>;
  readonly intercept: ReadonlyMap<string, (socket: object, payload: unknown) => unknown>;
  /** If undefined, JSON.stringify writes all payloads. */
  readonly writers: OutWriters | undefined;
  readonly handleInfo: ((socket: object, message: unknown) => unknown) | undefined;
  readonly expiring: ((socket: object, leftMs: unknown) => unknown) | undefined;
  readonly terminate: ((socket: object, reason: ExitReason) => unknown) | undefined;
  /** If undefined, the socket's policy applies. */
  readonly slow: SlowChannel | undefined;
  readonly missed: ((socket: object, count: unknown) => unknown) | undefined;
  /** If undefined, broadcasts are not kept. */
  readonly history: TopicHistory | undefined;
  /** If undefined, the server's time limit applies. */
  readonly joinTimeoutMs: number | undefined;
  /** Undefined if the channel has no rate limits. */
  readonly limiter: ChannelLimiter | undefined;
  readonly logJoin: LineLevel | false;
  readonly logHandleIn: LineLevel | false;
}

/**
 * Defines a channel for the connections of a socket. All types are inferred from the arguments.
 *
 * @param _socket - the definition of the socket that the channel will be mounted under, which
 *   determines the types of assigns and context in the callbacks
 * @throws SIM_ERR_DEFINITION_INVALID if an object literal has an unknown key, a callback is not a function, a declaration is not a
 *   schema, an event in `in` has no handler, or `slow`, `queue`, `history` or a log level is invalid;
 *   SIM_ERR_OPTION_INVALID if `joinTimeoutMs` is out of range
 */
export function defineChannel<
  Assigns,
  Context,
  const Out extends OutDeclarations = AnyOut,
  In extends InDeclarations | undefined = undefined,
  Params extends InSchema | undefined = undefined,
  Info = unknown,
  Tasks = AnyTasks,
  Locals = Record<string, unknown>,
  Joined extends JoinResult = JoinResult,
  Handlers extends InCallbacks<
    ChannelSocket<Assigns, Locals, OutPayloads<Out>, Info, Tasks, Context>,
    In
  > = InCallbacks<ChannelSocket<Assigns, Locals, OutPayloads<Out>, Info, Tasks, Context>, In>,
>(
  _socket: HasAssigns<Assigns, Context>,
  callbacks: ChannelCallbacks<
    ChannelSocket<Assigns, Locals, OutPayloads<Out>, Info, Tasks, Context>,
    Locals,
    Params,
    In,
    Out,
    Info,
    Tasks,
    Joined,
    Handlers
  >,
): ChannelDefinition<
  {
    readonly params: SentPayload<Params>;
    readonly joined: OkPayload<Joined>;
    readonly in: ClientCalls<In, Handlers>;
    readonly out: OutPayloads<Out>;
  },
  Assigns,
  Context
> {
  checkLiteralKeys("channel", callbacks, KEYS);
  checkCallbacks(callbacks, CALLBACKS);
  for (const name of ["logJoin", "logHandleIn"] as const) checkLogLevel(name, callbacks[name]);
  const { joinTimeoutMs } = callbacks;
  if (joinTimeoutMs !== undefined) checkOption("joinTimeoutMs", "joinTimeoutMs", joinTimeoutMs);
  const handleIn = inHandlersOf(callbacks.handleIn, callbacks.in);
  return {
    locals: callbacks.locals?.bind(callbacks) ?? ((): unknown => ({})),
    join: joinOf(callbacks.join.bind(callbacks) as ChannelDefinition["join"], callbacks.params),
    joined: callbacks.joined?.bind(callbacks) as ChannelDefinition["joined"],
    handleIn,
    intercept: outHandlersOf(callbacks.intercept),
    writers: OutWriters.of(callbacks.out),
    handleInfo: callbacks.handleInfo?.bind(callbacks) as ChannelDefinition["handleInfo"],
    expiring: callbacks.expiring?.bind(callbacks) as ChannelDefinition["expiring"],
    terminate: callbacks.terminate?.bind(callbacks) as ChannelDefinition["terminate"],
    slow: slowOf(callbacks.slow, callbacks.queue),
    missed: callbacks.missed?.bind(callbacks) as ChannelDefinition["missed"],
    history: historyOf(callbacks.history, callbacks.slow),
    joinTimeoutMs,
    limiter: channelLimiterOf(callbacks.limits, ratesOf(handleIn)),
    logJoin: callbacks.logJoin ?? "info",
    logHandleIn: callbacks.logHandleIn ?? "debug",
  };
}

const CALLBACKS = {
  required: ["join"],
  optional: ["locals", "joined", "handleInfo", "expiring", "missed", "terminate"],
};
const KEYS = Object.keys({
  params: true,
  in: true,
  out: true,
  info: true,
  tasks: true,
  locals: true,
  join: true,
  joined: true,
  handleIn: true,
  intercept: true,
  handleInfo: true,
  expiring: true,
  terminate: true,
  slow: true,
  queue: true,
  history: true,
  missed: true,
  joinTimeoutMs: true,
  limits: true,
  logJoin: true,
  logHandleIn: true,
} satisfies Record<keyof ChannelCallbacks, true>);
const DEFAULT_QUEUE = 64;
const LONGEST_QUEUE = 65_536;

function slowOf(policy: unknown, given: unknown): SlowChannel | undefined {
  if (policy === undefined && given === undefined) return undefined;
  const queue = given ?? DEFAULT_QUEUE;
  checkChoice("slow", policy, ["conflate", "drop-oldest"]);
  checkCount("queue", queue, LONGEST_QUEUE, "broadcasts");
  return { policy: policy as SlowChannel["policy"], bound: queue as number };
}

type Handler = (socket: object, payload: unknown) => unknown;

// A map, so that looking up an event called `constructor` or `__proto__` finds only user handlers.
function outHandlersOf(given: Readonly<Record<string, unknown>> = {}): Map<string, Handler> {
  const found = new Map<string, Handler>();
  for (const [event, handler] of Object.entries(given)) {
    checkFunction(`intercept.${event}`, handler);
    if (isVerbatim(handler)) {
      throw invalid(`intercept.${event} must be an ordinary handler, got a verbatim one`);
    }
    found.set(event, handler as Handler);
  }
  return found;
}
