/**
 * Base64 for URLs, without padding. Each sequence of bytes has exactly one encoding.
 *
 * Runs on: any thread. Pure functions.
 */

const ALPHABET = /^[\w-]*$/;

/** Encodes bytes. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");
}

/**
 * Decodes bytes. Returns undefined for any text that `encodeBase64Url` would not produce.
 *
 * Unused bits at the end must be zero, so that two texts never decode to the same token.
 */
export function tryDecodeBase64Url(text: string): Buffer | undefined {
  if (!ALPHABET.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}
