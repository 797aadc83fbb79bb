/**
 * A rate limit as defined by apps, and the arithmetic of its buckets.
 *
 * A bucket is a single number, `fullAtMs`: the time at which it will be full again (in GCRA, the
 * theoretical arrival time). It is equivalent to a token bucket, but needs no timer for refilling:
 *
 *   spent = max(fullAtMs - now, 0)            as the time needed to refill
 *   passes if spent + cost <= tolerance       otherwise: retry after spent + cost - tolerance
 *   then fullAtMs = max(fullAtMs, now) + cost
 *
 * Times are whole milliseconds. Costs are multiples of a power of two, so that doubles represent
 * them exactly. In any time span, at most burst + span / perMs × limit pass, and `retry_after` is
 * exact to the millisecond.
 *
 * Runs on: shard. Pure.
 */

import { checkCount, checkKeys, checkObject, invalid } from "../definition-checks.ts";
import { UNITS_PER_MS } from "../memory/rate-table-layout.ts";

/** A rate limit, such as `{ limit: 10, perMs: 1_000, burst: 20 }`. */
export interface Rate {
  /** Average number of messages (or bytes) that may pass per `perMs`: 1 to 1 000 000 000. */
  readonly limit: number;
  /** Period for `limit`: 1 to 3 600 000 (ms). */
  readonly perMs: number;
  /**
   * Number that may pass at once after a pause: 1 to 1 000 000 000; defaults to `limit`. An
   * exhausted burst must refill within an hour.
   */
  readonly burst?: number;
}

/** The keys of a rate. */
const KEYS: readonly string[] = ["limit", "perMs", "burst"] satisfies (keyof Rate)[];
const MAX_COUNT = 1_000_000_000;
const MAX_PERIOD_MS = 3_600_000;
/** Costs are rounded up to multiples of this (ms). */
const QUANTUM_MS = 2 ** -16;

/** A validated rate, for use with buckets. */
export class RateLimit {
  readonly #limit: number;
  readonly #perMs: number;
  /** Cost of one message or byte (ms). */
  readonly oneMs: number;
  /** Maximum distance of `fullAtMs` from now (ms). */
  readonly toleranceMs: number;
  /** The tolerance in units of the shared table. */
  readonly toleranceUnits: number;

  /**
   * @param subject - name of the option in error messages, such as `limits.messages`
   * @param counts - `ones` if the rate counts messages; `bytes` if it counts their sizes
   * @throws SIM_ERR_DEFINITION_INVALID if the rate is invalid
   */
  constructor(subject: string, rate: Rate, counts: "ones" | "bytes") {
    const { limit, perMs, burst = limit } = checkedRate(subject, rate);
    this.#limit = limit;
    this.#perMs = perMs;
    this.oneMs = this.costMs(1);
    // The cost of a message is rounded up. The tolerance for a burst must be a multiple of that
    // cost, so that a full burst passes.
    this.toleranceMs = counts === "ones" ? burst * this.oneMs : this.costMs(burst);
    this.toleranceUnits = counts === "ones" ? burst * this.costUnits(1) : this.costUnits(burst);
  }

  /** Returns the cost of `count` messages or bytes (ms). */
  costMs(count: number): number {
    return Math.ceil((count * this.#perMs) / this.#limit / QUANTUM_MS) * QUANTUM_MS;
  }

  /** Returns the cost of `count` messages or bytes in units of the shared table, rounded up. */
  costUnits(count: number): number {
    return Math.ceil((count * this.#perMs * UNITS_PER_MS) / this.#limit);
  }

  /**
   * Checks whether a cost can be spent now. A cost above the tolerance passes if the bucket is
   * full.
   *
   * @returns 0 if the cost passes; otherwise the time until it would pass (ms)
   */
  waitMs(fullAtMs: number, nowMs: number, costMs: number): number {
    const spentMs = Math.max(fullAtMs - nowMs, 0);
    const excessMs = spentMs + Math.min(costMs, this.toleranceMs) - this.toleranceMs;
    return excessMs > 0 ? Math.ceil(excessMs) : 0;
  }
}

/** Returns the new `fullAtMs` after a cost has been spent. */
export function spentOn(fullAtMs: number, nowMs: number, costMs: number): number {
  return Math.max(fullAtMs, nowMs) + costMs;
}

/** Checks a rate and returns it. @throws SIM_ERR_DEFINITION_INVALID if it is invalid */
export function checkedRate(subject: string, rate: unknown): Rate {
  checkObject(subject, rate, "{ limit, perMs, burst? }");
  checkKeys(subject, rate, KEYS);
  const { limit, perMs, burst = limit } = rate as Rate;
  checkCount(`limit of ${subject}`, limit, MAX_COUNT, "per perMs");
  checkCount(`perMs of ${subject}`, perMs, MAX_PERIOD_MS, "ms");
  checkCount(`burst of ${subject}`, burst, MAX_COUNT, "at once");
  const fillsInMs = Math.ceil((burst * perMs) / limit);
  if (fillsInMs > MAX_PERIOD_MS) {
    const rule = `burst × perMs / limit of ${subject} must be at most ${MAX_PERIOD_MS} (ms)`;
    throw invalid(`${rule}, got ${fillsInMs}`);
  }
  return rate as Rate;
}

/**
 * Checks a rate that counts messages, joins or connects in the shared table.
 *
 * @throws SIM_ERR_DEFINITION_INVALID if the rate exceeds the resolution of the table
 */
export function checkSharedRate(subject: string, { limit, perMs }: Rate): void {
  if (limit <= perMs * UNITS_PER_MS) return;
  const most = `limit of ${subject} must be at most ${UNITS_PER_MS} × perMs`;
  throw invalid(`${most} (${perMs * UNITS_PER_MS}), got ${limit}`);
}
