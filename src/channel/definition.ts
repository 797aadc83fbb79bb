/**
 * `defineChannel`, and the types from which everything in a channel is inferred.
 *
 * Runs on: shard. Each shard makes a definition once, for all joins.
 */

import {
  checkCallbacks,
  checkChoice,
  checkCount,
  checkFunction,
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
   * What clients send, by event: a schema, a type, or an InEvent with further rules. A message that
   * breaks them is answered with error, and its handler is not called:
   * `{reason: "invalid_payload", issues}` if the payload does not match,
   * `{reason: "payload_too_large", max_bytes}` if it has more than `maxBytes`,
   * `{reason: "rate_limited", retry_after}` if the client exceeds the `rate`.
   */
  readonly in?: In;
  /**
   * What the channel sends, by event: a type or a JSON Schema. The compiler then rejects pushes and
   * broadcasts of all other events. A JSON Schema is compiled if one of its objects has
   * `additionalProperties: false`; properties that it does not name are then not sent.
   */
  readonly out?: Out;
  /** Type of the messages that `send` and `sendAfter` take, as in `typed<"tick">()`. */
  readonly info?: Typed<Info>;
  /** Type of the tasks module, as in `typed<typeof tasks>()`. */
  readonly tasks?: Typed<Tasks>;
  /** Creates `locals` of a channel when they are first used. */
  locals?(): Locals;
  /** Accepts or refuses a join; `ok(payload)` answers with the payload. */
  join(socket: Socket, payload: InPayload<Params>): Joined | Promise<Joined>;
  /**
   * Runs after an accepted join was answered, before any other callback. From here on the channel
   * may push and broadcast.
   */
  joined?(socket: Socket): HandleOutResult | Promise<HandleOutResult>;
  /**
   * Handlers of the client's messages, by event. The payload is parsed JSON, or a Uint8Array that
   * belongs to the handler if the client sent bytes. `verbatim` makes a handler that gets the
   * payload as the client wrote it. An event without a handler crashes the channel.
   */
  readonly handleIn?: Handlers;
  /**
   * Handlers of broadcasts, by event. These broadcasts go to the handler instead of the client; the
   * handler may push.
   */
  readonly intercept?: {
    readonly [Event in keyof Out]?: OutCallback<Socket, Sent<Out[Event]>>;
  };
  /** Handles messages from `send` and `sendAfter`, and broadcasts of topics from `subscribe`. */
  handleInfo?(socket: Socket, message: Info): HandleOutResult | Promise<HandleOutResult>;
  /**
   * Runs before the connection expires, with the time left (ms): the socket's `expiringMs` before
   * the end, or when half of the time is left if that is later. A renewal moves it. It runs in each
   * joined channel that defines it; it is enough if one of them can push to the client.
   */
  expiring?(socket: Socket, leftMs: number): HandleOutResult | Promise<HandleOutResult>;
  /** Runs when the channel ends, unless a rejoin of the same topic replaces it. */
  terminate?(socket: Socket, reason: ExitReason): void | Promise<void>;
  /**
   * Lets a client that is too slow for the broadcasts of this channel miss some of them. Without
   * it, `slowClients` of the socket applies. `conflate` keeps the latest of each event,
   * `drop-oldest` the latest of all. Only broadcasts are left out. Pushes, replies and intercepted
   * events are not, and overtake broadcasts that wait.
   */
  readonly slow?: SlowPolicy;
  /** With `slow`: how many broadcasts may wait for one client. Default: 64. */
  readonly queue?: number;
  /**
   * With `slow`: runs when a client that has missed broadcasts has been sent all that waited. What
   * it pushes arrives after those.
   */
  missed?(socket: Socket, count: number): HandleOutResult | Promise<HandleOutResult>;
  /**
   * Time limit of an asynchronous `join` (ms). Default: `joinTimeoutMs` of the server. After it the
   * client gets `join timeout` and may join again. The result of the late join is ignored and
   * `terminate` does not run, as for a join that throws: `join` must release its resources itself.
   */
  readonly joinTimeoutMs?: number;
  /** Rate limits of one connection on one topic. Default: none. */
  readonly limits?: ChannelLimits;
  /** Level at which joins are logged; false: not at all. Default: `info`. */
  readonly logJoin?: LineLevel | false;
  /** Level at which handled messages are logged; false: not at all. Default: `debug`. */
  readonly logHandleIn?: LineLevel | false;
}

/** Which broadcasts are kept for a client that is too slow for them. */
export type SlowPolicy = "conflate" | "drop-oldest";

/** How a channel treats a client that is too slow for its broadcasts. */
export interface SlowChannel {
  readonly policy: SlowPolicy;
  /** Broadcasts that may wait. */
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
  /** Undefined: JSON.stringify writes all payloads. */
  readonly writers: OutWriters | undefined;
  readonly handleInfo: ((socket: object, message: unknown) => unknown) | undefined;
  readonly expiring: ((socket: object, leftMs: unknown) => unknown) | undefined;
  readonly terminate: ((socket: object, reason: ExitReason) => unknown) | undefined;
  /** Undefined: the socket's policy applies. */
  readonly slow: SlowChannel | undefined;
  readonly missed: ((socket: object, count: unknown) => unknown) | undefined;
  /** Undefined: the server's applies. */
  readonly joinTimeoutMs: number | undefined;
  /** Undefined: it has no rate limits. */
  readonly limiter: ChannelLimiter | undefined;
  readonly logJoin: LineLevel | false;
  readonly logHandleIn: LineLevel | false;
}

/**
 * Defines a channel for the connections of a socket. All types are inferred from the arguments.
 *
 * @param _socket - the definition of the socket that it will be mounted under, which gives the
 *   callbacks the types of assigns and context
 * @throws SIM_ERR_DEFINITION_INVALID if a callback is not a function, a declaration is not a schema,
 *   an event of `in` has no handler, or `slow`, `queue` or a log level is invalid;
 *   SIM_ERR_OPTION_INVALID if `joinTimeoutMs` is out of the option's range
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

// A map, so that an event called `constructor` or `__proto__` finds the user's handler or nothing.
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
