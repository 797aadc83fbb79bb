/**
 * `defineRawChannel`: channels that leave everything to user code.
 *
 * Runs on: shard. Each shard creates a definition once, for all joins.
 */

import { checkCallbacks, checkLiteralKeys } from "../definition-checks.ts";
import { checkLogLevel, type LineLevel } from "../log/logger.ts";
import { checkOption } from "../options/options.ts";
import type { Message } from "../protocol/message.ts";
import type { Frame } from "../protocol/serializer.ts";
import type { Broadcast } from "../pubsub/envelope.ts";
import type { AppContext } from "./context.ts";
import type { DefinedFor, HasAssigns } from "./definition.ts";
import type { Until } from "../callbacks/expiry.ts";
import type { ExitReason } from "../callbacks/results.ts";

/**
 * One connection's membership of one topic, as seen by user code.
 *
 * It may be stored and used from anywhere in the shard. Once the channel has ended, its methods do
 * nothing.
 */
export interface RawChannelHandle<Assigns = object, Context = object> {
  readonly topic: string;
  /** The socket's id, or null. */
  readonly id: string | null;
  /** Assigns returned by `connect`, overridden by the route's `assigns`. Frozen. */
  readonly assigns: Readonly<Assigns>;
  /** `options` of its route. */
  readonly options: unknown;
  /** The join's join_ref (any JSON value), or the join's ref if the client sent no join_ref. */
  readonly joinRef: unknown;
  readonly transport: string;
  /** Index of the shard that serves the channel. */
  readonly shard: number;
  /** The shard's context, including what `start` of the endpoint returned. */
  readonly context: AppContext<Context>;
  /** True from `accept` until the channel ends. */
  readonly isOpen: boolean;

  /**
   * Accepts the join. Messages from the client wait until then.
   *
   * @throws SIM_ERR_JOIN_ANSWERED if the join has already been answered; SIM_ERR_PAYLOAD if the
   *   payload cannot be sent, in which case the join stays unanswered
   */
  accept(payload?: unknown): void;
  /** Refuses the join with an error, which ends the channel. Throws like `accept`. */
  refuse(payload?: unknown): void;
  /**
   * Sends a message to this client.
   *
   * @throws SIM_ERR_NOT_JOINED before `accept`; SIM_ERR_PAYLOAD if the payload cannot be sent
   */
  push(event: string, payload?: unknown): void;
  /** Answers a message, any number of times. Throws like `push`. */
  reply(message: { readonly ref: unknown }, status: string, payload?: unknown): void;
  /** Sends a frame that is already encoded for the client's version. Throws like `push`. */
  sendFrame(frame: Frame): void;
  /** Ends the channel with phx_close, so the client does not rejoin. */
  close(): void;
  /** Ends the channel with phx_error, so the client rejoins. */
  fail(reason?: string): void;
  /**
   * Subscribes to the channel's own or another topic. Its broadcasts go to the `broadcast` handler.
   */
  subscribe(topic: string): void;
  /** Unsubscribes from a topic. */
  unsubscribe(topic: string): void;
  /** Time when the connection expires (ms since 1970), or undefined if it never does. */
  readonly expiresAtMs: number | undefined;
  /** Changes the expiry time of the whole connection, like `renew` of ChannelSocket. */
  renew(assigns: Assigns, until: Until): boolean;
}

/** Handlers returned by `start` of a raw channel. */
export interface RawChannelHandlers {
  /**
   * Handles a message from the client. It must answer `phx_leave` with a reply, and then call `close`.
   *
   * It may be called while the promise of an earlier call has not settled.
   */
  receive(message: Message): void | Promise<void>;
  /** Handles a broadcast to a topic that the channel has subscribed to. */
  broadcast?(broadcast: Broadcast): void | Promise<void>;
  /**
   * Called if broadcasts to a subscribed topic were lost on their way to this thread. Without this
   * handler, the channel ends with phx_error `missed broadcasts`.
   */
  missed?(topic: string): void | Promise<void>;
  /** Called before the connection expires, with the remaining time (ms), unless it is renewed. */
  expiring?(leftMs: number): void | Promise<void>;
  /**
   * Called before the connection is closed because the shard is closing. The channel may still
   * push.
   */
  drain?(): void;
  /** Runs once when the channel has ended, for whatever reason. */
  end?(reason: ExitReason): void | Promise<void>;
}

/** The callbacks and options of a raw channel. */
export interface RawChannelCallbacks<Assigns, Context = object> {
  /**
   * Starts a channel. It answers the join with `accept` or `refuse`, immediately or later, and
   * returns the channel's handlers, or nothing if it has refused.
   *
   * If `start` or a handler throws or rejects, the client receives the same frames as from other
   * channels: error `join crashed` if the join has not been answered, otherwise phx_error.
   */
  start(
    channel: RawChannelHandle<Assigns, Context>,
    payload: unknown,
  ): RawChannelHandlers | undefined;
  /**
   * Time limit for answering the join (ms). Default: `joinTimeoutMs` of the server. When it
   * elapses, the client receives `join timeout`, and the channel ends.
   */
  readonly joinTimeoutMs?: number;
  /** Level at which joins are logged, or false to disable logging. Default: `info`. */
  readonly logJoin?: LineLevel | false;
}

/** A raw channel's definition. Without type arguments, any definition. */
export interface RawChannelDefinition<Assigns = never, Context = never> extends DefinedFor<
  Assigns,
  Context
> {
  readonly start: (channel: object, payload: unknown) => unknown;
  /** If undefined, the server's time limit applies. */
  readonly joinTimeoutMs: number | undefined;
  readonly logJoin: LineLevel | false;
}

/**
 * Defines a raw channel for the connections of a socket.
 *
 * @param _socket - the socket's definition, which determines the types of assigns and context in
 *   `start`
 * @throws SIM_ERR_DEFINITION_INVALID if an object literal has an unknown key, `start` is not a
 *   function, or `logJoin` is not a log level;
 *   SIM_ERR_OPTION_INVALID if `joinTimeoutMs` is out of range
 */
export function defineRawChannel<Assigns, Context>(
  _socket: HasAssigns<Assigns, Context>,
  callbacks: RawChannelCallbacks<Assigns, Context>,
): RawChannelDefinition<Assigns, Context> {
  checkLiteralKeys("raw channel", callbacks, KEYS);
  checkCallbacks(callbacks, { required: ["start"] });
  const { joinTimeoutMs, logJoin } = callbacks;
  if (joinTimeoutMs !== undefined) checkOption("joinTimeoutMs", "joinTimeoutMs", joinTimeoutMs);
  checkLogLevel("logJoin", logJoin);
  return {
    start: callbacks.start.bind(callbacks) as RawChannelDefinition["start"],
    joinTimeoutMs,
    logJoin: callbacks.logJoin ?? "info",
  };
}

const KEYS = Object.keys({
  start: true,
  joinTimeoutMs: true,
  logJoin: true,
} satisfies Record<keyof RawChannelCallbacks<unknown>, true>);
const OPTIONAL = ["broadcast", "missed", "expiring", "drain", "end"] as const;

/** Reports whether a value is a valid object of handlers. */
export function areHandlers(value: unknown): value is RawChannelHandlers {
  if (typeof value !== "object" || value === null) return false;
  const given = value as Readonly<Record<string, unknown>>;
  const isRight = (name: string): boolean =>
    given[name] === undefined || typeof given[name] === "function";
  return typeof given["receive"] === "function" && OPTIONAL.every(isRight);
}
