/**
 * Limits the replies about exceeded limits that a client receives: a burst of 100, then 50 per
 * second.
 *
 * Sending a reply costs more than refusing a message. A client beyond this limit is considered to
 * be flooding and receives no more replies.
 *
 * Runs on: shard.
 * Owns: one bucket in each owner's `Buckets`.
 */

import { ANSWERS_AT, type Buckets } from "./own-limits.ts";
import { RateLimit, spentOn } from "./rate.ts";

const ANSWERS = new RateLimit("answers", { limit: 50, perMs: 1_000, burst: 100 }, "ones");

/** Reports whether the client is flooding, so that further refusals will not be answered. */
export function isFlooding(buckets: Buckets, nowMs: number): boolean {
  return ANSWERS.waitMs(buckets[ANSWERS_AT] as number, nowMs, ANSWERS.oneMs) > 0;
}

/** Spends one reply from the bucket. @returns false if the client is flooding */
export function tryTakeAnswer(buckets: Buckets, nowMs: number): boolean {
  if (isFlooding(buckets, nowMs)) return false;
  buckets[ANSWERS_AT] = spentOn(buckets[ANSWERS_AT] as number, nowMs, ANSWERS.oneMs);
  return true;
}
