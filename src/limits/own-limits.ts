/**
 * Limits whose buckets belong to a single connection or channel. They use no shared memory.
 *
 * Runs on: shard; one per definition.
 * Owns: nothing. Connections and channels own their buckets, which are created on first use.
 */

import { checkedRate, RateLimit, spentOn, type Rate } from "./rate.ts";

/** Rates that can be limited for a connection or a channel. */
export interface OwnRates {
  /** Messages, including joins. */
  readonly messages?: Rate;
  /** Total size of the frames that contain messages (bytes). */
  readonly bytes?: Rate;
  readonly joins?: Rate;
}

/** The keys of OwnRates. */
export const OWN_KEYS = ["messages", "bytes", "joins"] as const satisfies (keyof OwnRates)[];

/** The quantity that a limit counts. Only shared limits count `connects`. */
export type Counted = "messages" | "bytes" | "joins" | "connects";

/**
 * The buckets of an owner. Each is the time at which it will be full. Those of OWN_KEYS come first,
 * then the bucket for answers, then additional ones.
 */
export type Buckets = number[];

// In the order of OWN_KEYS.
const MESSAGES_AT = 0;
const BYTES_AT = 1;
const JOINS_AT = 2;
/** Index of the bucket for answers. */
export const ANSWERS_AT = OWN_KEYS.length;
/** Index of the first additional bucket. */
export const OTHERS_AT = ANSWERS_AT + 1;

/**
 * A time in the distant past. It is not an integer, so that V8 creates an array of doubles from the
 * start.
 */
const FULL = -0.5;

/** Creates full buckets, including a number of additional ones. */
export function fullBuckets(others = 0): Buckets {
  return Array.from({ length: OTHERS_AT + others }, () => FULL);
}

/** Checks the rates of a definition. @throws SIM_ERR_DEFINITION_INVALID if a rate is invalid */
export function checkOwnRates(subject: string, given: OwnRates): void {
  for (const counted of OWN_KEYS) {
    if (given[counted] !== undefined) checkedRate(`${subject}.${counted}`, given[counted]);
  }
}

/** The limits of a definition, which are applied to the buckets of each owner. */
export class OwnLimits {
  readonly #messages: RateLimit | undefined;
  readonly #bytes: RateLimit | undefined;
  readonly #joins: RateLimit | undefined;

  /**
   * @param subject - name of the option in error messages, such as `limits`
   * @throws SIM_ERR_DEFINITION_INVALID if a rate is invalid
   */
  constructor(subject: string, { messages, bytes, joins }: OwnRates) {
    this.#messages = messages && new RateLimit(`${subject}.messages`, messages, "ones");
    this.#bytes = bytes && new RateLimit(`${subject}.bytes`, bytes, "bytes");
    this.#joins = joins && new RateLimit(`${subject}.joins`, joins, "ones");
  }

  /** Whether any limit counts bytes. */
  get countsBytes(): boolean {
    return this.#bytes !== undefined;
  }

  /**
   * Checks whether a message passes, without spending its cost.
   *
   * @returns 0 if the message passes; otherwise the time until it would pass (ms)
   */
  waitMs(buckets: Buckets, nowMs: number, bytes: number, isJoin: boolean): number {
    let waitMs = waitOf(this.#messages, buckets[MESSAGES_AT] as number, nowMs);
    if (this.#bytes) {
      const costMs = this.#bytes.costMs(bytes);
      waitMs = Math.max(waitMs, this.#bytes.waitMs(buckets[BYTES_AT] as number, nowMs, costMs));
    }
    if (!isJoin) return waitMs;
    return Math.max(waitMs, waitOf(this.#joins, buckets[JOINS_AT] as number, nowMs));
  }

  /** Returns the limit that refuses a message. Must only be called if the message does not pass. */
  refusedBy(buckets: Buckets, nowMs: number, isJoin: boolean): Counted {
    if (isJoin && waitOf(this.#joins, buckets[JOINS_AT] as number, nowMs) > 0) return "joins";
    return waitOf(this.#messages, buckets[MESSAGES_AT] as number, nowMs) > 0 ? "messages" : "bytes";
  }

  /** Spends the cost of a message. */
  spend(buckets: Buckets, nowMs: number, bytes: number, isJoin: boolean): void {
    if (this.#messages) spendAt(buckets, MESSAGES_AT, nowMs, this.#messages.oneMs);
    if (this.#bytes) spendAt(buckets, BYTES_AT, nowMs, this.#bytes.costMs(bytes));
    if (isJoin && this.#joins) spendAt(buckets, JOINS_AT, nowMs, this.#joins.oneMs);
  }
}

function waitOf(limit: RateLimit | undefined, fullAtMs: number, nowMs: number): number {
  return limit === undefined ? 0 : limit.waitMs(fullAtMs, nowMs, limit.oneMs);
}

function spendAt(buckets: Buckets, at: number, nowMs: number, costMs: number): void {
  buckets[at] = spentOn(buckets[at] as number, nowMs, costMs);
}
