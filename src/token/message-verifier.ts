/**
 * Signed messages of Plug.Crypto.MessageVerifier.
 *
 *   <algorithm> "." <message> "." <HMAC of everything before this dot>, each in base64url
 *
 * Runs on: any thread. Pure functions.
 */

import { createHmac, timingSafeEqual } from "node:crypto";

import { encodeBase64Url, tryDecodeBase64Url } from "./base64url.ts";

/** Digest by the algorithm's name in a message: HS256, HS384 or HS512, in base64url. */
const DIGESTS: ReadonlyMap<string, string> = new Map([
  ["SFMyNTY", "sha256"],
  ["SFMzODQ", "sha384"],
  ["SFM1MTI", "sha512"],
]);

/** Signs a message with HMAC-SHA256. */
export function signMessage(message: Buffer, key: Buffer): string {
  const signed = `SFMyNTY.${encodeBase64Url(message)}`;
  return `${signed}.${encodeBase64Url(hmac("sha256", key, signed))}`;
}

/**
 * Returns a token's message, for any of the algorithms; undefined if it was not signed with this
 * key.
 */
export function tryVerifyMessage(token: string, key: Buffer): Buffer | undefined {
  // At most one part more than a valid token has, so that a long text is not split further.
  const [algorithm = "", message, signature, ...rest] = token.split(".", 4);
  const digest = DIGESTS.get(algorithm);
  if (digest === undefined || message === undefined || signature === undefined) return undefined;
  const given = tryDecodeBase64Url(signature);
  if (given === undefined || rest.length > 0) return undefined;
  const expected = hmac(digest, key, `${algorithm}.${message}`);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  return tryDecodeBase64Url(message);
}

function hmac(digest: string, key: Buffer, text: string): Buffer {
  return createHmac(digest, key).update(text).digest();
}
