/**
 * Limits whose buckets have one owner: a connection, or a channel. They cost no shared memory.
 *
 * Runs on: shard; made once for each definition.
 * Owns: nothing. The buckets are the owner's, made when it first needs them.
 */

import { checkedRate, RateLimit, spentOn, type Rate } from "./rate.ts";

/** What is limited of an owner of its own. */
export interface OwnRates {
  /** Messages, joins among them. */
  readonly messages?: Rate;
  /** Bytes of the frames in which messages come. */
  readonly bytes?: Rate;
  readonly joins?: Rate;
}

/** Keys of these. */
export const OWN_KEYS = ["messages", "bytes", "joins"] as const satisfies (keyof OwnRates)[];

/** What a limit counts. Connects are of no owner. */
export type Counted = "messages" | "bytes" | "joins" | "connects";

/** Times at which an owner's buckets are full: in the order of OWN_KEYS, of answers, of others. */
export type Buckets = number[];

// In the order of OWN_KEYS.
const MESSAGES_AT = 0;
const BYTES_AT = 1;
const JOINS_AT = 2;
/** Place of the bucket of answers. */
export const ANSWERS_AT = OWN_KEYS.length;
/** Place of the first bucket of others. */
export const OTHERS_AT = ANSWERS_AT + 1;

/** Long past. No integer: so an array of them is one of doubles from the start, and stays one. */
const FULL = -0.5;

/** Gives buckets that are full, with so many others. */
export function fullBuckets(others = 0): Buckets {
  return Array.from({ length: OTHERS_AT + others }, () => FULL);
}

/** Checks what a user limits. @throws SIM_ERR_DEFINITION_INVALID where one is no rate */
export function checkOwnRates(subject: string, given: OwnRates): void {
  for (const counted of OWN_KEYS) {
    if (given[counted] !== undefined) checkedRate(`${subject}.${counted}`, given[counted]);
  }
}

/** The limits of owners of one kind. */
export class OwnLimits {
  readonly #messages: RateLimit | undefined;
  readonly #bytes: RateLimit | undefined;
  readonly #joins: RateLimit | undefined;

  /**
   * @param subject - what messages call them, as in `limits`
   * @throws SIM_ERR_DEFINITION_INVALID where one is no rate
   */
  constructor(subject: string, { messages, bytes, joins }: OwnRates) {
    this.#messages = messages && new RateLimit(`${subject}.messages`, messages, "ones");
    this.#bytes = bytes && new RateLimit(`${subject}.bytes`, bytes, "bytes");
    this.#joins = joins && new RateLimit(`${subject}.joins`, joins, "ones");
  }

  /** True where somebody must know how long a frame is. */
  get countsBytes(): boolean {
    return this.#bytes !== undefined;
  }

  /**
   * Says whether a message passes. Nothing is spent.
   *
   * @returns 0 where it does; else the ms after which it would
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

  /** Says what a message is refused by that is: of several one. */
  refusedBy(buckets: Buckets, nowMs: number, isJoin: boolean): Counted {
    if (isJoin && waitOf(this.#joins, buckets[JOINS_AT] as number, nowMs) > 0) return "joins";
    return waitOf(this.#messages, buckets[MESSAGES_AT] as number, nowMs) > 0 ? "messages" : "bytes";
  }

  /** Spends what a message costs. */
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
