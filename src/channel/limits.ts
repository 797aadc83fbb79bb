/**
 * How a user limits a channel: what one connection may do on one topic.
 *
 * Runs on: shard; made once for each definition, serves all its channels.
 * Owns: the buckets of a channel, from its first message on.
 */

import { checkKeys } from "../definition-checks.ts";
import { fullBuckets, OTHERS_AT, OWN_KEYS, OwnLimits } from "../limits/own-limits.ts";
import type { Buckets, Counted } from "../limits/own-limits.ts";
import { RateLimit, spentOn, type Rate } from "../limits/rate.ts";
import type { Message } from "../protocol/message.ts";

/** What a connection may do on one topic in how much time; without a limit, whatever it can. */
export interface ChannelLimits {
  /** Its messages, but for join and leave. */
  readonly messages?: Rate;
  /** Bytes of the frames in which these come; of binary ones, of their payloads. */
  readonly bytes?: Rate;
  /** Joins of channels of this definition, on whichever topics of one connection. */
  readonly joins?: Rate;
}

interface EventLimit {
  readonly limit: RateLimit;
  /** Place of its bucket. */
  readonly at: number;
}

/** What limits keep with a channel. */
export interface LimitedChannel {
  buckets?: Buckets;
}

/** The limits of a definition's channels. */
export class ChannelLimiter {
  readonly #own: OwnLimits;
  readonly #events = new Map<unknown, EventLimit>();
  /** Of joins, whose buckets are the sockets'. */
  readonly joins: RateLimit | undefined;
  /** Whose limit refused last, and what it counts. */
  scope: "channel" | "event" = "channel";
  refusedBy: Counted = "messages";

  /**
   * @param events - rates of single events
   * @throws SIM_ERR_DEFINITION_INVALID where they cannot be
   */
  constructor(limits: ChannelLimits, events: ReadonlyMap<string, Rate>) {
    checkKeys("limits", limits, OWN_KEYS);
    this.#own = new OwnLimits("limits", limits);
    this.joins = limits.joins && new RateLimit("limits.joins", limits.joins, "ones");
    for (const [event, rate] of events) {
      const limit = new RateLimit(`rate of in.${event}`, rate, "ones");
      this.#events.set(event, { limit, at: OTHERS_AT + this.#events.size });
    }
  }

  /** True where the text of a frame is wanted. */
  get countsBytes(): boolean {
    return this.#own.countsBytes;
  }

  /**
   * Takes a message of a channel, if it is within the limits of both.
   *
   * @param frame - the text in which it came; undefined for bytes
   * @returns 0 where it passes; else the ms after which it would
   */
  take(
    channel: LimitedChannel,
    nowMs: number,
    { event, payload }: Message,
    frame: string | undefined,
  ): number {
    const buckets = this.bucketsOf(channel);
    const bytes = this.#own.countsBytes ? bytesOf(frame, payload) : 0;
    let waitMs = this.#own.waitMs(buckets, nowMs, bytes, false);
    if (waitMs > 0) {
      this.scope = "channel";
      this.refusedBy = this.#own.refusedBy(buckets, nowMs, false);
      return waitMs;
    }
    const own = this.#events.get(event);
    if (own) {
      const { limit, at } = own;
      waitMs = limit.waitMs(buckets[at] as number, nowMs, limit.oneMs);
      if (waitMs > 0) {
        this.scope = "event";
        this.refusedBy = "messages";
        return waitMs;
      }
      buckets[at] = spentOn(buckets[at] as number, nowMs, limit.oneMs);
    }
    this.#own.spend(buckets, nowMs, bytes, false);
    return 0;
  }

  /** Gives the buckets of a channel, and makes them the first time. */
  bucketsOf(channel: LimitedChannel): Buckets {
    channel.buckets ??= fullBuckets(this.#events.size);
    return channel.buckets;
  }
}

/** Makes the limits of a definition; undefined: it has none. */
export function channelLimiterOf(
  limits: ChannelLimits | undefined,
  events: ReadonlyMap<string, Rate>,
): ChannelLimiter | undefined {
  return limits === undefined && events.size === 0
    ? undefined
    : new ChannelLimiter(limits ?? {}, events);
}

function bytesOf(frame: string | undefined, payload: unknown): number {
  if (frame !== undefined) return Buffer.byteLength(frame);
  return payload instanceof Uint8Array ? payload.length : 0;
}
