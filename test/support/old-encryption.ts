/**
 * Encrypted messages in the format of plug_crypto 1.x, which the library can only read.
 *
 * Runs on: the test's thread.
 */

import { createCipheriv, randomBytes } from "node:crypto";

/** The keys of a message, and the additional authenticated data. */
export interface OldKeys {
  readonly secret: Buffer;
  readonly signSecret: Buffer;
  readonly contentKey?: Buffer;
  readonly additional?: string;
}

/** Encrypts a message with a content key, which is wrapped with the secret. */
export function encryptOld(message: Uint8Array, keys: OldKeys): string {
  const { secret, signSecret, contentKey = randomBytes(16), additional = "A128GCM" } = keys;
  const wrapped = sealGcm(secret, signSecret, contentKey);
  const content = sealGcm(contentKey, Buffer.from(additional), message);
  const parts = [
    Buffer.concat([wrapped.ciphertext, wrapped.tag, wrapped.nonce]),
    content.nonce,
    content.ciphertext,
    content.tag,
  ];
  return ["QTEyOEdDTQ", ...parts.map((part) => part.toString("base64url"))].join(".");
}

function sealGcm(
  key: Buffer,
  additional: Buffer,
  plaintext: Uint8Array,
): { nonce: Buffer; ciphertext: Buffer; tag: Buffer } {
  const nonce = randomBytes(12);
  const name = `aes-${key.length * 8}-gcm` as "aes-128-gcm" | "aes-192-gcm" | "aes-256-gcm";
  const cipher = createCipheriv(name, key, nonce);
  cipher.setAAD(additional);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { nonce, ciphertext, tag: cipher.getAuthTag() };
}
