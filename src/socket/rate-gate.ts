/**
 * Where messages meet rate limits: of their socket, of their channel's definition, of their channel;
 * and what becomes of those that are over one.
 *
 *   within all limits                                  -> on its way
 *   beyond one, while its client may be told           -> answered `rate_limited`, if it has a ref
 *   beyond that too, so its client floods              -> dropped, or the connection is closed;
 *                                                         long frames are not even read
 *
 * A heartbeat and a leave are under no limit, unless their frames are long: with a payload, which
 * nobody reads, they would carry any number of bytes past all limits. Where a channel limits what its socket does not, its
 * messages are answered as often.
 *
 * Runs on: shard; one for all its sockets.
 */

import type { ChannelDefinition } from "../channel/definition.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import { isFlooding, tryTakeAnswer } from "../limits/answers.ts";
import type { Buckets, Counted } from "../limits/own-limits.ts";
import type { LimitScope, Refusals } from "../limits/refusals.ts";
import type { Message } from "../protocol/message.ts";
import { EVENT, PHOENIX_TOPIC } from "../protocol/reserved.ts";
import type { Socket } from "./socket.ts";
import { bucketsOf, takeJoin } from "./socket-buckets.ts";
import type { SocketLimiter } from "./socket-limiter.ts";

/** What a RateGate is made of. */
export interface RateGateParts {
  readonly refusals: Refusals;
  /** Called to tell a client that a message was refused. */
  readonly onRefused: (socket: Socket, message: Message, retryAfterMs: number) => void;
  /** Called for a client that floods, where its connection is to be closed. */
  readonly onFlood: (socket: Socket) => void;
}

/** A frame that is no longer may be a heartbeat, and is read from a client that floods as well. */
const SHORT_FRAME = 256;

/** Holds what a shard's clients send to the limits that there are. */
export class RateGate {
  readonly #parts: RateGateParts;

  constructor(parts: RateGateParts) {
    this.#parts = parts;
  }

  /** False for a frame of a client that floods which is not worth reading. */
  takesFrame(
    { buckets }: Socket,
    limiter: SocketLimiter,
    { length }: string | Uint8Array,
  ): boolean {
    if (!buckets || length <= SHORT_FRAME) return true;
    const { refusals } = this.#parts;
    const nowMs = refusals.clock();
    // A text has at least as many bytes as units.
    const isRefused = isFlooding(buckets.own, nowMs) && !limiter.mayPass(buckets, nowMs, length);
    if (isRefused) refusals.ignored();
    return !isRefused;
  }

  /** Takes a message, if it is within the limits of its socket. */
  takesMessage(
    socket: Socket,
    limiter: SocketLimiter,
    message: Message,
    frame: string | Uint8Array,
  ): boolean {
    const { event } = message;
    if (frame.length <= SHORT_FRAME && isFree(message)) return true;
    const waitMs = limiter.take(socket, this.#parts.refusals.clock(), event === EVENT.join, frame);
    if (waitMs === 0) return true;
    const isTold = this.#refuse(socket, bucketsOf(socket).own, message, limiter, waitMs);
    if (!isTold && limiter.closesFloods) this.#parts.onFlood(socket);
    return false;
  }

  /** Takes a join, if it is within the limits of its channel's definition. */
  takesJoin(socket: Socket, definition: ChannelDefinition, message: Message): boolean {
    const { joins } = definition.limiter ?? {};
    if (!joins) return true;
    const waitMs = takeJoin(socket, definition, joins, this.#parts.refusals.clock());
    if (waitMs === 0) return true;
    const { own } = bucketsOf(socket);
    this.#refuse(socket, own, message, JOINS_OF_CHANNEL, waitMs);
    return false;
  }

  /** Takes a message of a channel, if it is within the limits of that. */
  takesIn(
    socket: Socket,
    channel: RoutedChannel,
    message: Message,
    frame: string | undefined,
  ): boolean {
    const { limiter } = channel;
    if (!limiter) return true;
    const waitMs = limiter.take(channel, this.#parts.refusals.clock(), message, frame);
    if (waitMs === 0) return true;
    const buckets = limiter.bucketsOf(channel);
    // As all that a channel answers, it has the name of the join also where the message has none.
    const named = message.joinRef === null ? { ...message, joinRef: channel.joinRef } : message;
    this.#refuse(socket, buckets, named, limiter, waitMs);
    return false;
  }

  /** @returns false where the client was told too often already */
  #refuse(
    socket: Socket,
    buckets: Buckets,
    message: Message,
    { scope, refusedBy: counted }: RefusedBy,
    retryAfterMs: number,
  ): boolean {
    const { refusals, onRefused } = this.#parts;
    if (!tryTakeAnswer(buckets, refusals.clock())) {
      refusals.ignored();
      return false;
    }
    const { id, connection } = socket;
    const { topic, event, ref } = message;
    refusals.refused({
      scope,
      counted,
      connection: connection.id,
      id,
      topic,
      event,
      retryAfterMs,
    });
    // Without a ref nobody waits for an answer.
    if (ref !== null) onRefused(socket, message, retryAfterMs);
    return true;
  }
}

function isFree({ event, topic }: Message): boolean {
  return event === EVENT.leave || (event === EVENT.heartbeat && topic === PHOENIX_TOPIC);
}

/** Which limit something was refused by. */
interface RefusedBy {
  readonly scope: LimitScope;
  readonly refusedBy: Counted;
}

const JOINS_OF_CHANNEL: RefusedBy = { scope: "channel", refusedBy: "joins" };
