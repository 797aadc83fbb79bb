/**
 * How a user defines a channel, and the types by which everything in it is inferred.
 *
 * Runs on: shard; the definition is made once for each, and serves all joins.
 */

import { makeError } from "../errors.ts";
import { checkLogLevel, type LineLevel } from "../logger.ts";
import { checkOption } from "../options.ts";
import type { ShardContext } from "./context.ts";
import { channelLimiterOf, type ChannelLimiter, type ChannelLimits } from "./limits.ts";
import type { TaskOptions } from "./tasks.ts";
import type { ExitReason, Ok, Refused, Reply, Stop } from "./results.ts";
import { isVerbatim } from "./verbatim.ts";

declare const ASSIGNS: unique symbol;

/** Anything that says which assigns its connections have: a socket's definition. */
export interface HasAssigns<Assigns> {
  readonly [ASSIGNS]?: Assigns;
}

/** A channel as its callbacks see it: one connection's membership of one topic. */
export interface ChannelSocket<Assigns = object, Locals = Record<string, unknown>> {
  /** The topic that was joined. */
  readonly topic: string;
  /** The socket's id, or null. */
  readonly id: string | null;
  /** What `connect` gave, with the route's `assigns` over it. Frozen; see `assign`. */
  readonly assigns: Readonly<Assigns>;
  /** This channel's own state: what `locals` of its definition made, or an empty object. */
  readonly locals: Locals;
  /** The client's name for this join, any JSON value: its join_ref, or its ref where it sent none. */
  readonly joinRef: unknown;
  /** The client's name for the message that is being handled, or null. */
  readonly ref: unknown;
  /** `websocket`, or another transport's name. */
  readonly transport: string;
  /** Index of the shard that serves it. */
  readonly shard: number;
  /** The shard's context, as `start` of the endpoint left it. */
  readonly context: ShardContext;

  /**
   * Replaces assigns of this channel; the socket's other channels keep theirs.
   *
   * @param changes - the new ones, or a function that gives them of those that there are
   */
  assign(changes: Partial<Assigns> | ((assigns: Readonly<Assigns>) => Partial<Assigns>)): void;

  /**
   * Sends a message to this client: an object as JSON; a Uint8Array, a Buffer or an ArrayBuffer as a
   * binary frame, which clients of version 1 cannot have.
   *
   * @throws SIM_ERR_NOT_JOINED before the join was answered; SIM_ERR_PAYLOAD for what cannot be sent
   */
  push(event: string, payload?: unknown): void;
  /** Sends to all subscribers of the topic on all nodes, this one included. Throws as `push`. */
  broadcast(event: string, payload?: unknown): void;
  /** Sends to all subscribers of the topic on all nodes but this one. Throws as `push`. */
  broadcastFrom(event: string, payload?: unknown): void;
  /** Gives this channel a message: its `handleInfo` gets it after what waits already. */
  send(message: unknown): void;
  /**
   * Gives this channel a message after a time.
   *
   * @param delayMs - 0 to 2 147 483 647
   * @returns a function that cancels it; the end of the channel does so as well
   */
  sendAfter(delayMs: number, message: unknown): () => void;
  /**
   * Listens to a further topic: its broadcasts come to `handleInfo` as `{topic, event, payload}`.
   *
   * Each channel gets a payload of its own, parsed for it alone; where thousands of a shard listen
   * to one busy topic, have them join it instead, which costs no parse.
   */
  subscribe(topic: string): void;
  /** Stops listening to a further topic. */
  unsubscribe(topic: string): void;

  /**
   * Has a function of the endpoint's tasks module run on another thread, for work that would hold
   * this one. Where the handler returns the promise or awaits it, the channel's next message waits
   * for it; `void socket.task(…).then((result) => socket.send(result))` lets it come as a message.
   *
   * When the channel ends, its tasks are cancelled and their promises never settle: what must be
   * given back then is given back in `terminate`.
   *
   * @param input - the function's argument; must survive a structured clone
   * @throws SIM_ERR_TASKS, SIM_ERR_TASK_QUEUE_FULL, SIM_ERR_TASK_TIMEOUT, or what the task threw;
   *   as rejections
   */
  task(name: string, input?: unknown, options?: TaskOptions): Promise<unknown>;
}

/** What `handleIn` may give. */
export type HandleInResult = void | undefined | Reply | Ok<unknown> | Refused | Stop;
/** What `intercept` and `handleInfo` may give. */
export type HandleOutResult = void | undefined | Stop;
/** What `join` may give. */
export type JoinResult = Ok<unknown> | Refused;

// Methods, so that a handler may say what its payload is: `echo(socket, payload: { n: number })`.
type HandleIn<Socket> = {
  handle(socket: Socket, payload: unknown): HandleInResult | Promise<HandleInResult>;
}["handle"];
type HandleOut<Socket> = {
  handle(socket: Socket, payload: unknown): HandleOutResult | Promise<HandleOutResult>;
}["handle"];

/** The callbacks of a channel. */
export interface ChannelCallbacks<Assigns, Locals> {
  /** Makes `locals` of a channel when they are first used. */
  locals?(): Locals;
  /** Accepts or refuses a join; `ok(payload)` answers with the payload. */
  join(socket: ChannelSocket<Assigns, Locals>, payload: unknown): JoinResult | Promise<JoinResult>;
  /**
   * A handler for each event of the client. Its payload is what JSON gave, or a Uint8Array of its
   * own where the client sent bytes; `verbatim` makes one that gets it as the client wrote it. An
   * event without a handler crashes the channel.
   */
  readonly handleIn?: Readonly<Record<string, HandleIn<ChannelSocket<Assigns, Locals>>>>;
  /** Broadcasts of these events are not sent, but handed to the handler, which may push. */
  readonly intercept?: Readonly<Record<string, HandleOut<ChannelSocket<Assigns, Locals>>>>;
  /** Takes what `send`, `sendAfter` and `subscribe` bring. */
  handleInfo?(
    socket: ChannelSocket<Assigns, Locals>,
    message: unknown,
  ): HandleOutResult | Promise<HandleOutResult>;
  /** Runs when the channel ends; not where a rejoin of the same topic replaces it. */
  terminate?(socket: ChannelSocket<Assigns, Locals>, reason: ExitReason): void | Promise<void>;
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
  missed?(
    socket: ChannelSocket<Assigns, Locals>,
    count: number,
  ): HandleOutResult | Promise<HandleOutResult>;
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

/** A handler of `handleIn`, as the runtime uses it. */
export interface InHandler {
  readonly handle: (socket: object, payload: unknown) => unknown;
  /** True where it is given payloads as the client wrote them. */
  readonly isVerbatim: boolean;
}

/** A channel's definition, as the runtime uses it. */
export interface ChannelDefinition {
  readonly locals: () => unknown;
  readonly join: (socket: object, payload: unknown) => unknown;
  readonly handleIn: ReadonlyMap<unknown, InHandler>;
  readonly intercept: ReadonlyMap<string, (socket: object, payload: unknown) => unknown>;
  readonly handleInfo: ((socket: object, message: unknown) => unknown) | undefined;
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
 * Defines a channel for the connections of a socket.
 *
 * @param _socket - the socket's definition: its assigns are known in every callback
 * @throws SIM_ERR_DEFINITION_INVALID where a callback is no function, `slow` no policy, `queue` no number
 *   of broadcasts, or a level none of the log; SIM_ERR_OPTION_INVALID where `joinTimeoutMs` is out of
 *   the option's range
 */
export function defineChannel<Assigns, Locals = Record<string, unknown>>(
  _socket: HasAssigns<Assigns>,
  callbacks: ChannelCallbacks<Assigns, Locals>,
): ChannelDefinition {
  checkCallbacks(callbacks as unknown as Readonly<Record<string, unknown>>);
  const { joinTimeoutMs } = callbacks;
  if (joinTimeoutMs !== undefined) checkOption("joinTimeoutMs", "joinTimeoutMs", joinTimeoutMs);
  return {
    locals: callbacks.locals?.bind(callbacks) ?? ((): unknown => ({})),
    join: callbacks.join.bind(callbacks) as ChannelDefinition["join"],
    handleIn: inHandlersOf(callbacks.handleIn),
    intercept: outHandlersOf(callbacks.intercept),
    handleInfo: callbacks.handleInfo?.bind(callbacks) as ChannelDefinition["handleInfo"],
    terminate: callbacks.terminate?.bind(callbacks) as ChannelDefinition["terminate"],
    slow: slowOf(callbacks.slow, callbacks.queue),
    missed: callbacks.missed?.bind(callbacks) as ChannelDefinition["missed"],
    joinTimeoutMs,
    limiter: channelLimiterOf(callbacks.limits, new Map()),
    logJoin: callbacks.logJoin ?? "info",
    logHandleIn: callbacks.logHandleIn ?? "debug",
  };
}

const DEFAULT_QUEUE = 64;
const LONGEST_QUEUE = 65_536;

function slowOf(policy: unknown, queue: unknown): SlowChannel | undefined {
  if (policy === undefined && queue === undefined) return undefined;
  if (policy !== "conflate" && policy !== "drop-oldest") {
    const message = `slow must be "conflate" or "drop-oldest", got ${String(policy)}`;
    throw makeError("SIM_ERR_DEFINITION_INVALID", message);
  }
  const bound = queue ?? DEFAULT_QUEUE;
  const isCount = typeof bound === "number" && Number.isInteger(bound);
  if (!isCount || bound < 1 || bound > LONGEST_QUEUE) {
    throw makeError(
      "SIM_ERR_DEFINITION_INVALID",
      `queue must be an integer from 1 to ${LONGEST_QUEUE} (broadcasts), got ${String(queue)}`,
    );
  }
  return { policy, bound };
}

function checkCallbacks(given: Readonly<Record<string, unknown>>): void {
  checkFunction("join", given["join"]);
  for (const name of ["logJoin", "logHandleIn"]) checkLogLevel(name, given[name]);
  for (const name of ["locals", "handleInfo", "missed", "terminate"]) {
    if (given[name] !== undefined) checkFunction(name, given[name]);
  }
}

type Handler = (socket: object, payload: unknown) => unknown;

// Maps, so that an event called `constructor` or `__proto__` finds what the user wrote, or nothing.
function outHandlersOf(given: Readonly<Record<string, unknown>> = {}): Map<string, Handler> {
  const found = new Map<string, Handler>();
  for (const [event, handler] of Object.entries(given)) {
    checkFunction(`intercept.${event}`, handler);
    if (isVerbatim(handler)) {
      const message = `intercept.${event} must take its payload parsed, got a verbatim handler`;
      throw makeError("SIM_ERR_DEFINITION_INVALID", message);
    }
    found.set(event, handler as Handler);
  }
  return found;
}

function inHandlersOf(given: Readonly<Record<string, unknown>> = {}): Map<unknown, InHandler> {
  const found = new Map<unknown, InHandler>();
  for (const [event, handler] of Object.entries(given)) {
    checkFunction(`handleIn.${event}`, handler);
    found.set(event, { handle: handler as Handler, isVerbatim: isVerbatim(handler) });
  }
  return found;
}

function checkFunction(name: string, value: unknown): void {
  if (typeof value === "function") return;
  throw makeError("SIM_ERR_DEFINITION_INVALID", `${name} must be a function, got ${typeof value}`);
}
