/**
 * Until when a connection may last: what `ok` of `connect`, and `renew`, are told.
 *
 * Runs on: shard. Pure.
 */

import { invalidOption } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";

/** How long something holds. */
export interface Until {
  /**
   * Milliseconds since 1970, as `Date.now()` has them; undefined or Infinity: for ever. The `exp` of a
   * JWT is in seconds; `verifyJwt` and `verifyPhoenixToken` give `expiresAtMs` as it is wanted here.
   */
  readonly expiresAtMs: number | undefined;
}

/** In milliseconds this was in 1973; in seconds it is far off. */
const EARLIEST_MS = 100_000_000_000;
/** The last that a Date can be. */
const LATEST_MS = 8_640_000_000_000_000;

/**
 * Gives the time of an expiry, or undefined where there is none. One that is past is a time as any.
 *
 * @throws SIM_ERR_OPTION_INVALID for what is no time in milliseconds
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
  // A name that is wrong would be a connection that lasts for ever.
  if (typeof until === "object" && until !== null && "expiresAtMs" in until) return until;
  throw invalidOption(`until must have expiresAtMs, got ${kindOf(until)}`);
}
