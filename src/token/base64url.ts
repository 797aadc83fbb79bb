/**
 * Base64 for URLs, without padding: the one form of the bytes, and no other.
 *
 * Runs on: any thread. Pure functions.
 */

const ALPHABET = /^[\w-]*$/;

/** Writes bytes. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");
}

/**
 * Reads bytes, or gives undefined for what `encodeBase64Url` does not write.
 *
 * Bits that stand for nothing (at the end) must be zero, so that no two tokens are the same one.
 */
export function tryDecodeBase64Url(text: string): Buffer | undefined {
  if (!ALPHABET.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}
