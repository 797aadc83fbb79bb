/**
 * Rate limits of a channel, which apply to one connection on one topic.
 *
 * Runs on: shard; one limiter per definition, for all of its channels.
 * Owns: the buckets of a channel, from its first message on.
 */

import { checkKeys } from "../definition-checks.ts";
import { fullBuckets, OTHERS_AT, OWN_KEYS, OwnLimits } from "../limits/own-limits.ts";
import type { Buckets, Counted } from "../limits/own-limits.ts";
import { RateLimit, spentOn, type Rate } from "../limits/rate.ts";
import type { Message } from "../protocol/message.ts";

/** Rate limits for a connection on one topic. Omitted properties are not limited. */
export interface ChannelLimits {
  /** Messages, except joins and leaves. */
  readonly messages?: Rate;
  /** Bytes of the frames of these messages; of binary frames, only the payload counts. */
  readonly bytes?: Rate;
  /** Joins by one connection to channels of this definition, over all topics. */
  readonly joins?: Rate;
}

interface EventLimit {
  readonly limit: RateLimit;
  /** Index of the limit's bucket. */
  readonly at: number;
}

/** A channel with the state of its rate limits. */
export interface LimitedChannel {
  buckets?: Buckets;
}

/** The rate limits of a definition's channels. */
export class ChannelLimiter {
  readonly #own: OwnLimits;
  readonly #events = new Map<unknown, EventLimit>();
  /** Limit for joins. Its buckets are kept by the sockets. */
  readonly joins: RateLimit | undefined;
  /** Scope of the limit that most recently refused a request, and the quantity that it limits. */
  scope: "channel" | "event" = "channel";
  refusedBy: Counted = "messages";

  /**
   * @param events - rates for individual events
   * @throws SIM_ERR_DEFINITION_INVALID if a limit is invalid
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

  /** True if `take` needs the text of frames. */
  get countsBytes(): boolean {
    return this.#own.countsBytes;
  }

  /**
   * Counts a message for a channel if the message is within the limits of the channel and of its
   * event.
   *
   * @param frame - the text frame that contained the message; undefined for a binary frame
   * @param length - length of the frame
   * @returns 0 if the message is allowed; otherwise the time until it would be allowed (ms)
   */
  take(
    channel: LimitedChannel,
    nowMs: number,
    { event, payload }: Message,
    frame: string | undefined,
    length: number,
  ): number {
    const buckets = this.bucketsOf(channel);
    const bytes = this.#own.countsBytes ? bytesOf(frame, payload, length) : 0;
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

  /** Returns the buckets of a channel, creating them if necessary. */
  bucketsOf(channel: LimitedChannel): Buckets {
    channel.buckets ??= fullBuckets(this.#events.size);
    return channel.buckets;
  }
}

/** Creates the limiter for a definition, or returns undefined if the definition has no limits. */
export function channelLimiterOf(
  limits: ChannelLimits | undefined,
  events: ReadonlyMap<string, Rate>,
): ChannelLimiter | undefined {
  return limits === undefined && events.size === 0
    ? undefined
    : new ChannelLimiter(limits ?? {}, events);
}

function bytesOf(frame: string | undefined, payload: unknown, length: number): number {
  if (frame !== undefined) return Buffer.byteLength(frame);
  // Version 1 also accepts JSON in a binary frame.
  return payload instanceof Uint8Array ? payload.length : length;
}
