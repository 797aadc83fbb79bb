/**
 * How often a client is told that it is over its limits: 100 times at once, then 50 times a second.
 *
 * An answer costs more than a refusal. Who goes on beyond that floods: it has been told enough.
 *
 * Runs on: shard.
 * Owns: one of an owner's buckets.
 */

import { ANSWERS_AT, type Buckets } from "./own-limits.ts";
import { RateLimit, spentOn } from "./rate.ts";

const ANSWERS = new RateLimit("answers", { limit: 50, perMs: 1_000, burst: 100 }, "ones");

/** True where no further refusal would be answered. */
export function isFlooding(buckets: Buckets, nowMs: number): boolean {
  return ANSWERS.waitMs(buckets[ANSWERS_AT] as number, nowMs, ANSWERS.oneMs) > 0;
}

/** Takes an answer, where there may be one. */
export function tryTakeAnswer(buckets: Buckets, nowMs: number): boolean {
  if (isFlooding(buckets, nowMs)) return false;
  buckets[ANSWERS_AT] = spentOn(buckets[ANSWERS_AT] as number, nowMs, ANSWERS.oneMs);
  return true;
}
