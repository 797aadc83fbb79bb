/**
 * CSRF tokens in Plug's format. They are rendered into a page, where no other page can read them.
 *
 *   state, in the session   24 characters: url-safe base64 of 18 random bytes
 *   token, in the page      32 characters: url-safe base64 of (state XOR mask); then 24: the mask
 *
 * Runs on: shard. Pure.
 */

import { timingSafeEqual } from "node:crypto";

/** The parameter with the token. */
export const CSRF_PARAM = "_csrf_token";
/** The default key of the state in the session. */
export const DEFAULT_CSRF_KEY = "_csrf_token";

const STATE_LENGTH = 24;
const MASKED_LENGTH = 32;
const MASKED = /^[\w-]{32}$/;

/** Reports whether a token was made for a session's state. */
export function isCsrfTokenValid(state: unknown, token: unknown): boolean {
  if (typeof state !== "string" || typeof token !== "string") return false;
  const expected = Buffer.from(state);
  const mask = Buffer.from(token.slice(MASKED_LENGTH));
  const masked = token.slice(0, MASKED_LENGTH);
  if (expected.length !== STATE_LENGTH || mask.length !== STATE_LENGTH) return false;
  if (!MASKED.test(masked)) return false;
  const unmasked = Buffer.from(masked, "base64url").map((byte, at) => byte ^ (mask[at] as number));
  return timingSafeEqual(expected, unmasked);
}
