/**
 * A rate limit as users write it, and the arithmetic of its buckets.
 *
 * A bucket is one number, `fullAtMs`: when it will be full again (GCRA, whose word for it is the
 * theoretical arrival time). It is a token bucket without a timer that fills it:
 *
 *   spent  = max(fullAtMs - now, 0)            as the time that it takes to fill
 *   passes where spent + cost <= tolerance     else: retry after spent + cost - tolerance
 *   then   fullAtMs = max(fullAtMs, now) + cost
 *
 * Times are whole ms and costs whole quanta, powers of two, so that doubles hold them exactly: in
 * any span of time at most burst + span / perMs × limit pass, and `retry_after` is right to the ms.
 *
 * Runs on: shard. Pure.
 */

import { checkCount, checkKeys, checkObject, invalid } from "../definition-checks.ts";
import { UNITS_PER_MS } from "../memory/rate-table-layout.ts";

/** So much in so much time: `{ limit: 10, perMs: 1_000, burst: 20 }`. */
export interface Rate {
  /** How many, or how many bytes, may pass in `perMs` on average: 1 to 1 000 000 000. */
  readonly limit: number;
  /** The time for that: 1 to 3 600 000 (ms). */
  readonly perMs: number;
  /**
   * How many may pass at once after a rest: 1 to 1 000 000 000; `limit` without. After at most an
   * hour's rest it must be there again.
   */
  readonly burst?: number;
}

/** The keys of a rate. */
const KEYS: readonly string[] = ["limit", "perMs", "burst"] satisfies (keyof Rate)[];
const MOST = 1_000_000_000;
const LONGEST_MS = 3_600_000;
/** Costs are multiples of this (ms), rounded up. */
const QUANTUM_MS = 2 ** -16;

/** A rate, ready to be held against buckets. */
export class RateLimit {
  readonly #limit: number;
  readonly #perMs: number;
  /** What one costs (ms). */
  readonly oneMs: number;
  /** How far a bucket may lie ahead of now (ms). */
  readonly toleranceMs: number;
  /** The same in units of a shared table. */
  readonly toleranceUnits: number;

  /**
   * @param subject - what messages call it, as in `limits.messages`
   * @param counts - what something costs that passes: one, or its bytes
   * @throws SIM_ERR_DEFINITION_INVALID where it is none
   */
  constructor(subject: string, rate: Rate, counts: "ones" | "bytes") {
    const { limit, perMs, burst = limit } = checkedRate(subject, rate);
    this.#limit = limit;
    this.#perMs = perMs;
    this.oneMs = this.costMs(1);
    // What one costs is rounded up: so that a burst of ones passes, it is a multiple of that.
    this.toleranceMs = counts === "ones" ? burst * this.oneMs : this.costMs(burst);
    this.toleranceUnits = counts === "ones" ? burst * this.costUnits(1) : this.costUnits(burst);
  }

  /** Gives what so many cost (ms). */
  costMs(count: number): number {
    return Math.ceil((count * this.#perMs) / this.#limit / QUANTUM_MS) * QUANTUM_MS;
  }

  /** Gives what so many cost in units of a shared table, rounded up. */
  costUnits(count: number): number {
    return Math.ceil((count * this.#perMs * UNITS_PER_MS) / this.#limit);
  }

  /**
   * Says whether something passes now. What costs more than a whole bucket passes where it is full.
   *
   * @returns 0 where it does; else the ms after which it would
   */
  waitMs(fullAtMs: number, nowMs: number, costMs: number): number {
    const spentMs = Math.max(fullAtMs - nowMs, 0);
    const excessMs = spentMs + Math.min(costMs, this.toleranceMs) - this.toleranceMs;
    return excessMs > 0 ? Math.ceil(excessMs) : 0;
  }
}

/** Gives `fullAtMs` of a bucket that something has passed. */
export function spentOn(fullAtMs: number, nowMs: number, costMs: number): number {
  return Math.max(fullAtMs, nowMs) + costMs;
}

/** Gives a rate back where it is one. @throws SIM_ERR_DEFINITION_INVALID */
export function checkedRate(subject: string, rate: unknown): Rate {
  checkObject(subject, rate, "{ limit, perMs, burst? }");
  checkKeys(subject, rate, KEYS);
  const { limit, perMs, burst = limit } = rate as Rate;
  checkCount(`limit of ${subject}`, limit, MOST, "a perMs");
  checkCount(`perMs of ${subject}`, perMs, LONGEST_MS, "ms");
  checkCount(`burst of ${subject}`, burst, MOST, "at once");
  const fillsInMs = Math.ceil((burst * perMs) / limit);
  if (fillsInMs > LONGEST_MS) {
    const rule = `burst × perMs / limit of ${subject} must be at most ${LONGEST_MS} (ms)`;
    throw invalid(`${rule}, got ${fillsInMs}`);
  }
  return rate as Rate;
}

/**
 * Checks a rate of something that a shared table counts one by one.
 *
 * @throws SIM_ERR_DEFINITION_INVALID where more may pass than the table can tell apart
 */
export function checkSharedRate(subject: string, { limit, perMs }: Rate): void {
  if (limit <= perMs * UNITS_PER_MS) return;
  const most = `limit of ${subject} must be at most ${UNITS_PER_MS} × perMs`;
  throw invalid(`${most} (${perMs * UNITS_PER_MS}), got ${limit}`);
}
