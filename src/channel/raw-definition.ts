/**
 * How a user defines a raw channel: one that does itself what others have done for them (WIRE §4.4).
 *
 * Runs on: shard; the definition is made once for each, and serves all joins.
 */

import { checkCallbacks } from "../definition-checks.ts";
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
 * One connection's membership of one topic, as a raw channel holds it.
 *
 * It may be kept, and used from anywhere in the shard. Once the channel has ended nothing of it
 * does anything.
 */
export interface RawChannelHandle<Assigns = object, Context = object> {
  readonly topic: string;
  /** The socket's id, or null. */
  readonly id: string | null;
  /** What `connect` gave, with the route's `assigns` over it. Frozen. */
  readonly assigns: Readonly<Assigns>;
  /** What the route has as `options`. */
  readonly options: unknown;
  /** The client's name for this join, any JSON value: its join_ref, or its ref where it sent none. */
  readonly joinRef: unknown;
  readonly transport: string;
  /** Index of the shard that serves it. */
  readonly shard: number;
  /** The shard's context, with what `start` of the endpoint added. */
  readonly context: AppContext<Context>;
  /** True from `accept` to the end. */
  readonly isOpen: boolean;

  /**
   * Answers the join with ok. Messages of the client come after that; until then they wait.
   *
   * @throws SIM_ERR_JOIN_ANSWERED where it was answered; SIM_ERR_PAYLOAD, and then it was not
   */
  accept(payload?: unknown): void;
  /** Answers the join with error, which ends the channel. Throws as `accept`. */
  refuse(payload?: unknown): void;
  /**
   * Sends a message to this client.
   *
   * @throws SIM_ERR_NOT_JOINED before `accept`; SIM_ERR_PAYLOAD for what cannot be sent
   */
  push(event: string, payload?: unknown): void;
  /** Answers a message, any number of times. Throws as `push`. */
  reply(message: { readonly ref: unknown }, status: string, payload?: unknown): void;
  /** Sends a frame as it stands, encoded for the client's version. Throws as `push`. */
  sendFrame(frame: Frame): void;
  /** Ends the channel; its client is told by phx_close, and does not come back. */
  close(): void;
  /** Ends the channel; its client is told by phx_error, and joins anew. */
  fail(reason?: string): void;
  /** Listens to a topic, its own or another: `broadcast` of what `start` returned gets all of it. */
  subscribe(topic: string): void;
  /** Stops listening to a topic. */
  unsubscribe(topic: string): void;
  /** Until when the connection may last (ms since 1970); undefined: for ever. */
  readonly expiresAtMs: number | undefined;
  /** Has the whole connection last longer, or shorter: as `renew` of other channels. */
  renew(assigns: Assigns, until: Until): boolean;
}

/** What `start` of a raw channel returns. */
export interface RawChannelHandlers {
  /**
   * Takes a message of the client, `phx_leave` among them: answer that, and `close`.
   *
   * One may come while the promise of another has not settled.
   */
  receive(message: Message): void | Promise<void>;
  /** Takes a broadcast of a topic that it listens to. */
  broadcast?(broadcast: Broadcast): void | Promise<void>;
  /**
   * Is told that broadcasts of a topic it listens to were lost on their way to this thread.
   * Without it the channel ends with phx_error `missed broadcasts`.
   */
  missed?(topic: string): void | Promise<void>;
  /** Is told that the connection has so much time left (ms), unless it is renewed. */
  expiring?(leftMs: number): void | Promise<void>;
  /** Is told that the connection is about to be closed, as the shard closes. It may still push. */
  drain?(): void;
  /** Runs once, when the channel has ended, whatever ended it. */
  end?(reason: ExitReason): void | Promise<void>;
}

/** The callbacks and options of a raw channel. */
export interface RawChannelCallbacks<Assigns, Context = object> {
  /**
   * Begins a channel. It answers the join by `accept` or `refuse` of its channel, at once or
   * later, and returns who takes what comes; nothing, where it has refused.
   *
   * What this or a handler throws, or rejects with, is as in other channels: error `join crashed`
   * where the join was not answered, else phx_error.
   */
  start(
    channel: RawChannelHandle<Assigns, Context>,
    payload: unknown,
  ): RawChannelHandlers | undefined;
  /**
   * Time in which the join must be answered (ms); the server's `joinTimeoutMs` without. Then the
   * client is told `join timeout`, and the channel ends.
   */
  readonly joinTimeoutMs?: number;
  /** Level at which joins are logged, `info` without; false: not at all. */
  readonly logJoin?: LineLevel | false;
}

/** A raw channel's definition. By default the type of any, whatever its socket. */
export interface RawChannelDefinition<Assigns = never, Context = never> extends DefinedFor<
  Assigns,
  Context
> {
  readonly start: (channel: object, payload: unknown) => unknown;
  /** Undefined: the server's. */
  readonly joinTimeoutMs: number | undefined;
  readonly logJoin: LineLevel | false;
}

/**
 * Defines a raw channel for the connections of a socket.
 *
 * @param _socket - the socket's definition: its assigns are known in `start`
 * @throws SIM_ERR_DEFINITION_INVALID where `start` is no function, or `logJoin` no level;
 *   SIM_ERR_OPTION_INVALID where `joinTimeoutMs` is out of the option's range
 */
export function defineRawChannel<Assigns, Context>(
  _socket: HasAssigns<Assigns, Context>,
  callbacks: RawChannelCallbacks<Assigns, Context>,
): RawChannelDefinition<Assigns, Context> {
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

const OPTIONAL = ["broadcast", "missed", "expiring", "drain", "end"] as const;

/** True for what `start` may return of a channel that goes on. */
export function areHandlers(value: unknown): value is RawChannelHandlers {
  if (typeof value !== "object" || value === null) return false;
  const given = value as Readonly<Record<string, unknown>>;
  const isRight = (name: string): boolean =>
    given[name] === undefined || typeof given[name] === "function";
  return typeof given["receive"] === "function" && OPTIONAL.every(isRight);
}
