/**
 * Limits how often a client is told that it exceeds a limit: 100 times at once, then 50 a second.
 *
 * A reply costs more than the refusal itself. A client beyond this limit is flooding and gets no
 * more replies.
 *
 * Runs on: shard.
 * Owns: one bucket of each owner.
 */

import { ANSWERS_AT, type Buckets } from "./own-limits.ts";
import { RateLimit, spentOn } from "./rate.ts";

const ANSWERS = new RateLimit("answers", { limit: 50, perMs: 1_000, burst: 100 }, "ones");

/** Reports whether further refusals would not be answered. */
export function isFlooding(buckets: Buckets, nowMs: number): boolean {
  return ANSWERS.waitMs(buckets[ANSWERS_AT] as number, nowMs, ANSWERS.oneMs) > 0;
}

/** Takes an answer from the bucket. @returns false if the client is flooding */
export function tryTakeAnswer(buckets: Buckets, nowMs: number): boolean {
  if (isFlooding(buckets, nowMs)) return false;
  buckets[ANSWERS_AT] = spentOn(buckets[ANSWERS_AT] as number, nowMs, ANSWERS.oneMs);
  return true;
}
