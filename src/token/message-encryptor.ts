/**
 * Encrypted messages of Plug.Crypto.MessageEncryptor, in the current form and in the form of 1.x.
 *
 *   "XCP."        nonce (24) | tag (16) | ciphertext       in base64url, as one
 *   "QTEyOEdDTQ." wrapped key "." nonce (12) "." ciphertext "." tag (16)      each in base64url
 *
 *   wrapped key = ciphertext | tag (16) | nonce (12)       of the key that encrypts the message
 *
 * Runs on: any thread. Pure functions.
 */

import { createDecipheriv, randomBytes } from "node:crypto";

import { encodeBase64Url, tryDecodeBase64Url } from "./base64url.ts";
import { KEY_BYTES, NONCE_BYTES, seal, TAG_BYTES, tryOpen } from "./xchacha20.ts";

/** Additional data of every message: the first version's algorithm, kept in all later versions. */
const ADDITIONAL = Buffer.from("A128GCM");

const XCHACHA_PREFIX = "XCP.";
const GCM_PREFIX = "QTEyOEdDTQ.";
const GCM_NONCE_BYTES = 12;
const GCM_KEY_BYTES: readonly number[] = [16, 24, 32];

/** Keys to decrypt with. */
export interface MessageKeys {
  readonly secret: Buffer;
  /** Authenticates the wrapped keys of 1.x. Empty for tokens. */
  readonly signSecret: Buffer;
}

/** Encrypts a message with XChaCha20-Poly1305. */
export function encryptMessage(message: Buffer, secret: Buffer): string {
  const nonce = randomBytes(NONCE_BYTES);
  const { ciphertext, tag } = seal(secret, nonce, ADDITIONAL, message);
  return XCHACHA_PREFIX + encodeBase64Url(Buffer.concat([nonce, tag, ciphertext]));
}

/** Decrypts a token of either form. Returns undefined if it was not encrypted with these keys. */
export function tryDecryptMessage(token: string, keys: MessageKeys): Buffer | undefined {
  if (token.startsWith(XCHACHA_PREFIX)) {
    return tryDecryptXChaCha(token.slice(XCHACHA_PREFIX.length), keys.secret);
  }
  if (token.startsWith(GCM_PREFIX)) return tryDecryptGcm(token.slice(GCM_PREFIX.length), keys);
  return undefined;
}

function tryDecryptXChaCha(text: string, secret: Buffer): Buffer | undefined {
  const bytes = tryDecodeBase64Url(text);
  const headBytes = NONCE_BYTES + TAG_BYTES;
  if (secret.length !== KEY_BYTES || bytes === undefined || bytes.length < headBytes) {
    return undefined;
  }
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const sealed = {
    tag: bytes.subarray(NONCE_BYTES, headBytes),
    ciphertext: bytes.subarray(headBytes),
  };
  return tryOpen(secret, nonce, ADDITIONAL, sealed);
}

function tryDecryptGcm(text: string, { secret, signSecret }: MessageKeys): Buffer | undefined {
  // Split into at most one part more than a valid token has.
  const parts = text.split(".", 5).map(tryDecodeBase64Url);
  const [wrapped, nonce, ciphertext, tag] = parts;
  if (parts.length !== 4 || !wrapped || !nonce || !ciphertext || !tag) return undefined;
  const tagStart = wrapped.length - GCM_NONCE_BYTES - TAG_BYTES;
  if (!GCM_KEY_BYTES.includes(tagStart)) return undefined;
  const key = tryOpenGcm(secret, signSecret, {
    nonce: wrapped.subarray(tagStart + TAG_BYTES),
    tag: wrapped.subarray(tagStart, tagStart + TAG_BYTES),
    ciphertext: wrapped.subarray(0, tagStart),
  });
  return key && tryOpenGcm(key, ADDITIONAL, { nonce, ciphertext, tag });
}

interface GcmBox {
  readonly nonce: Buffer;
  readonly tag: Buffer;
  readonly ciphertext: Buffer;
}

function tryOpenGcm(
  key: Buffer,
  additional: Buffer,
  { nonce, tag, ciphertext }: GcmBox,
): Buffer | undefined {
  if (!GCM_KEY_BYTES.includes(key.length)) return undefined;
  if (nonce.length !== GCM_NONCE_BYTES || tag.length !== TAG_BYTES) return undefined;
  const name = `aes-${key.length * 8}-gcm` as "aes-128-gcm" | "aes-192-gcm" | "aes-256-gcm";
  const decipher = createDecipheriv(name, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(additional).setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  } catch {
    return undefined;
  }
}
