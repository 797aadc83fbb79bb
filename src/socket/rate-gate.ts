/**
 * Applies rate limits to messages: those of the socket, of the channel's definition, and of the
 * channel.
 *
 *   within all limits                                  -> handled
 *   over a limit, while the client may still be told   -> answered `rate_limited`, if it has a ref
 *   over that limit too: the client floods             -> dropped, or the connection is closed;
 *                                                         long frames are not even decoded
 *
 * Heartbeats and leaves in short frames are not limited. In long frames they are, because their
 * payload, which is never read, could otherwise carry any number of bytes past all limits.
 *
 * Runs on: shard; one instance for all its sockets.
 */

import type { ChannelDefinition } from "../channel/definition.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import { isFlooding, tryTakeAnswer } from "../limits/answers.ts";
import type { Buckets, Counted } from "../limits/own-limits.ts";
import type { LimitScope, Refusals } from "../limits/refusals.ts";
import type { Message } from "../protocol/message.ts";
import { EVENT } from "../protocol/reserved.ts";
import { isHeartbeat } from "./dispatch.ts";
import { bucketsOf, takeJoin, type LimitedSocket } from "./socket-buckets.ts";
import type { SocketLimiter } from "./socket-limiter.ts";

/**
 * The verdict on a message: PASS, IGNORED, FLOOD, or the time until it would pass (ms), which is
 * sent to the client.
 */
export type Verdict = number;
/** The message is handled. */
export const PASS = 0;
/** The message is dropped without an answer. */
export const IGNORED = -1;
/** The message is dropped, and its connection must be closed. */
export const FLOOD = -2;

/** A socket whose messages are checked. */
export interface GatedSocket extends LimitedSocket {
  readonly id: string | null;
  readonly connection: { readonly id: number };
}

/** A frame up to this length may be a heartbeat, and is decoded even if its client floods. */
const SHORT_FRAME = 256;

/** Checks all messages from a shard's clients. */
export class RateGate {
  readonly #refusals: Refusals;

  constructor(refusals: Refusals) {
    this.#refusals = refusals;
  }

  /** Returns false if a client floods and its frame must not be decoded. */
  takesFrame(
    { buckets }: LimitedSocket,
    limiter: SocketLimiter,
    { length }: string | Uint8Array,
  ): boolean {
    if (!buckets || length <= SHORT_FRAME) return true;
    const nowMs = this.#refusals.clock();
    // A string has at least as many bytes in UTF-8 as UTF-16 units.
    const isRefused = isFlooding(buckets.own, nowMs) && !limiter.mayPass(buckets, nowMs, length);
    if (isRefused) this.#refusals.ignored();
    return !isRefused;
  }

  /** Counts a message against the limits of its socket. */
  takeMessage(
    socket: GatedSocket,
    limiter: SocketLimiter,
    message: Message,
    frame: string | Uint8Array,
  ): Verdict {
    if (frame.length <= SHORT_FRAME && isFree(message)) return PASS;
    const isJoin = message.event === EVENT.join;
    const waitMs = limiter.take(socket, this.#refusals.clock(), isJoin, frame);
    if (waitMs === 0) return PASS;
    const verdict = this.#refuse(socket, bucketsOf(socket).own, message, limiter, waitMs);
    return verdict === IGNORED && limiter.closesFloods ? FLOOD : verdict;
  }

  /** Counts a join against the limits of its channel's definition. */
  takeJoin(socket: GatedSocket, definition: ChannelDefinition, message: Message): Verdict {
    const { joins } = definition.limiter ?? {};
    if (!joins) return PASS;
    const waitMs = takeJoin(socket, definition, joins, this.#refusals.clock());
    if (waitMs === 0) return PASS;
    return this.#refuse(socket, bucketsOf(socket).own, message, JOINS_OF_CHANNEL, waitMs);
  }

  /** Counts a message against the limits of its channel. */
  takeIn(
    socket: GatedSocket,
    channel: RoutedChannel,
    message: Message,
    frame: string | undefined,
    length: number,
  ): Verdict {
    const { limiter } = channel;
    if (!limiter) return PASS;
    const waitMs = limiter.take(channel, this.#refusals.clock(), message, frame, length);
    if (waitMs === 0) return PASS;
    return this.#refuse(socket, limiter.bucketsOf(channel), message, limiter, waitMs);
  }

  #refuse(
    socket: GatedSocket,
    buckets: Buckets,
    { topic, event }: Message,
    { scope, refusedBy: counted }: RefusedBy,
    retryAfterMs: number,
  ): Verdict {
    const refusals = this.#refusals;
    if (!tryTakeAnswer(buckets, refusals.clock())) {
      refusals.ignored();
      return IGNORED;
    }
    const { id, connection } = socket;
    refusals.refused({
      scope,
      counted,
      connection: connection.id,
      id,
      topic,
      event,
      retryAfterMs,
    });
    return retryAfterMs;
  }
}

function isFree(message: Message): boolean {
  return message.event === EVENT.leave || isHeartbeat(message);
}

/** The limit that refused a message. */
interface RefusedBy {
  readonly scope: LimitScope;
  readonly refusedBy: Counted;
}

const JOINS_OF_CHANNEL: RefusedBy = { scope: "channel", refusedBy: "joins" };
