/**
 * The expiry of a connection, as passed to `ok` in `connect` and to `renew`.
 *
 * Runs on: shard. Pure.
 */

import { invalidOption } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";

/** The time at which a connection expires. */
export interface Until {
  /**
   * Milliseconds since 1970, as in `Date.now()`; undefined or Infinity means never. The `exp` of a
   * JWT is in seconds, but `verifyJwt` and `verifyPhoenixToken` return `expiresAtMs` in
   * milliseconds.
   */
  readonly expiresAtMs: number | undefined;
}

/** A time in 1973. A smaller value is most likely in seconds. */
const EARLIEST_MS = 100_000_000_000;
/** The latest time that a Date can represent. */
const LATEST_MS = 8_640_000_000_000_000;

/**
 * Returns the expiry time, which may be in the past, or undefined if the connection never expires.
 *
 * @throws SIM_ERR_OPTION_INVALID if `expiresAtMs` is not a time in milliseconds
 */
export function expiryOf(until: Until): number | undefined {
  const { expiresAtMs } = checkedUntil(until);
  if (expiresAtMs === undefined || expiresAtMs === Infinity) return undefined;
  if (typeof expiresAtMs !== "number" || Number.isNaN(expiresAtMs)) {
    const got = typeof expiresAtMs === "number" ? "NaN" : kindOf(expiresAtMs);
    throw invalidOption(
      `expiresAtMs must be a number, or undefined for none (ms since 1970), got ${got}`,
    );
  }
  if (expiresAtMs < EARLIEST_MS) {
    const hint = expiresAtMs > 1_000_000_000 ? ", which looks like seconds: multiply by 1000" : "";
    throw invalidOption(`expiresAtMs must be a time (ms since 1970), got ${expiresAtMs}${hint}`);
  }
  if (expiresAtMs > LATEST_MS) {
    const message = `expiresAtMs must be at most ${LATEST_MS}, or Infinity (ms since 1970), got ${expiresAtMs}`;
    throw invalidOption(message);
  }
  return expiresAtMs;
}

function checkedUntil(until: unknown): { readonly expiresAtMs?: unknown } {
  // Checked, because with a misspelt name the connection would never expire.
  if (typeof until === "object" && until !== null && "expiresAtMs" in until) return until;
  const isObject = typeof until === "object" && until !== null;
  const got = isObject ? `{ ${Object.keys(until).join(", ")} }` : kindOf(until);
  throw invalidOption(`second argument of ok and renew must have expiresAtMs, got ${got}`);
}
