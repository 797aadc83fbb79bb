/**
 * How a user defines a channel, and the types by which everything in it is inferred.
 *
 * Runs on: shard; the definition is made once for each, and serves all joins.
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

/** A socket's definition, which says what its channels find: assigns, and the shard's context. */
export interface HasAssigns<Assigns, Context = object> {
  readonly [ASSIGNS]?: Assigns;
  readonly [CONTEXT]?: Context;
}

/** A channel's definition, which says what it must find. Exists at compile time only. */
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
   * Schema, or type, of the join's parameters. Those that do not fit are refused with
   * `{reason: "invalid_payload", issues}`, and `join` is not called.
   */
  readonly params?: Params;
  /**
   * By event that clients send: a schema, a type, or an InEvent that has more to say. A payload that
   * does not fit is answered with error `{reason: "invalid_payload", issues}`, one with more than
   * `maxBytes` with `{reason: "payload_too_large", max_bytes}`, one beyond its `rate` with
   * `{reason: "rate_limited", retry_after}`, and the handler is not called.
   */
  readonly in?: In;
  /**
   * By event that the channel sends: a type, or a JSON Schema. With these no other event can be
   * pushed or broadcast by the channel, as far as the compiler sees. A JSON Schema that has an
   * object with `additionalProperties: false` is compiled, and what it does not name is not sent.
   */
  readonly out?: Out;
  /** Type of what `send` and `sendAfter` may give to `handleInfo`: `typed<"tick">()`. */
  readonly info?: Typed<Info>;
  /** Type of the tasks module: `typed<typeof tasks>()`. */
  readonly tasks?: Typed<Tasks>;
  /** Makes `locals` of a channel when they are first used. */
  locals?(): Locals;
  /** Accepts or refuses a join; `ok(payload)` answers with the payload. */
  join(socket: Socket, payload: InPayload<Params>): Joined | Promise<Joined>;
  /**
   * Runs after the client was sent the answer of an accepted join, before anything else of the
   * channel: here it may push and broadcast.
   */
  joined?(socket: Socket): HandleOutResult | Promise<HandleOutResult>;
  /**
   * A handler for each event of the client. Its payload is what JSON gave, or a Uint8Array of its
   * own where the client sent bytes; `verbatim` makes one that gets it as the client wrote it. An
   * event without a handler crashes the channel.
   */
  readonly handleIn?: Handlers;
  /** Broadcasts of these events are not sent, but handed to the handler, which may push. */
  readonly intercept?: {
    readonly [Event in keyof Out]?: OutCallback<Socket, Sent<Out[Event]>>;
  };
  /** Takes what `send`, `sendAfter` and `subscribe` bring. */
  handleInfo?(socket: Socket, message: Info): HandleOutResult | Promise<HandleOutResult>;
  /**
   * Is told that the connection has so much time left (ms), unless it is renewed: the socket's
   * `expiringMs` before its end, or when half of its time is left where that is later. Each joined
   * channel is told that has this; one that may push is enough.
   */
  expiring?(socket: Socket, leftMs: number): HandleOutResult | Promise<HandleOutResult>;
  /** Runs when the channel ends; not where a rejoin of the same topic replaces it. */
  terminate?(socket: Socket, reason: ExitReason): void | Promise<void>;
  /**
   * Lets a client that does not take the broadcasts of this channel in time miss some of them,
   * where otherwise the `slowClients` of its socket decides. `conflate` keeps the latest of each
   * event, `drop-oldest` the latest of all. Only broadcasts are left out: pushes, replies, and
   * events that are intercepted are not, and overtake those that wait.
   */
  readonly slow?: SlowPolicy;
  /** With `slow`: broadcasts that may wait for one client; 64 without. */
  readonly queue?: number;
  /**
   * With `slow`: runs when the client has taken again all that waited, and had missed some. What
   * is pushed here comes after that.
   */
  missed?(socket: Socket, count: number): HandleOutResult | Promise<HandleOutResult>;
  /**
   * Time that an asynchronous `join` may take (ms); the server's `joinTimeoutMs` without. Then the
   * client is told `join timeout` and may join again. What the late join still gives is dropped,
   * and no `terminate` runs, as with one that throws: what it took it must give back itself.
   */
  readonly joinTimeoutMs?: number;
  /** Rate limits of one connection on one topic; none without. */
  readonly limits?: ChannelLimits;
  /** Level at which joins are logged, `info` without; false: not at all. */
  readonly logJoin?: LineLevel | false;
  /** Level at which handled messages are logged, `debug` without; false: not at all. */
  readonly logHandleIn?: LineLevel | false;
}

/** Which broadcasts are left out for a client that does not take them in time. */
export type SlowPolicy = "conflate" | "drop-oldest";

/** What a channel does for a client that does not take its broadcasts in time. */
export interface SlowChannel {
  readonly policy: SlowPolicy;
  /** Broadcasts that may wait. */
  readonly bound: number;
}

/** A channel's definition. By default the type of any, whatever its types and its socket. */
export interface ChannelDefinition<
  Types extends ChannelTypes = ChannelTypes,
  Assigns = never,
  Context = never,
> extends DefinedFor<Assigns, Context> {
  /** What clients and the host may know of it. Exists at compile time only. */
  readonly [TYPES]?: Types;
  readonly locals: () => unknown;
  readonly join: (socket: object, payload: unknown) => unknown;
  readonly joined: ((socket: object, nothing: unknown) => unknown) | undefined;
  readonly handleIn: ReadonlyMap<unknown, InHandler>;
  readonly intercept: ReadonlyMap<string, (socket: object, payload: unknown) => unknown>;
  /** Undefined: all that it sends is written by JSON.stringify. */
  readonly writers: OutWriters | undefined;
  readonly handleInfo: ((socket: object, message: unknown) => unknown) | undefined;
  readonly expiring: ((socket: object, leftMs: unknown) => unknown) | undefined;
  readonly terminate: ((socket: object, reason: ExitReason) => unknown) | undefined;
  /** Undefined: the socket's policy holds. */
  readonly slow: SlowChannel | undefined;
  readonly missed: ((socket: object, count: unknown) => unknown) | undefined;
  /** Undefined: the server's. */
  readonly joinTimeoutMs: number | undefined;
  /** Undefined: it has no rate limits. */
  readonly limiter: ChannelLimiter | undefined;
  readonly logJoin: LineLevel | false;
  readonly logHandleIn: LineLevel | false;
}

/**
 * Defines a channel for the connections of a socket. All types follow from what is given.
 *
 * @param _socket - the definition of the socket that it will be mounted under: its assigns and its
 *   context are known in every callback
 * @throws SIM_ERR_DEFINITION_INVALID where a callback is no function, a declaration no schema, an
 *   event of `in` has no handler, `slow` is no policy, `queue` no number of broadcasts, or a level
 *   none of the log; SIM_ERR_OPTION_INVALID where `joinTimeoutMs` is out of the option's range
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

// Maps, so that an event called `constructor` or `__proto__` finds what the user wrote, or nothing.
function outHandlersOf(given: Readonly<Record<string, unknown>> = {}): Map<string, Handler> {
  const found = new Map<string, Handler>();
  for (const [event, handler] of Object.entries(given)) {
    checkFunction(`intercept.${event}`, handler);
    if (isVerbatim(handler)) {
      throw invalid(`intercept.${event} must take its payload parsed, got a verbatim handler`);
    }
    found.set(event, handler as Handler);
  }
  return found;
}
