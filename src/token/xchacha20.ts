/**
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), on top of Node.js's ChaCha20-Poly1305.
 *
 *   nonce   16 bytes | 8 bytes
 *               |         |
 *   key --- HChaCha20     +--> 4 zero bytes | 8 bytes = nonce of RFC 8439
 *               |
 *               +------------> key of RFC 8439
 *
 * Runs on: any thread. Pure functions.
 */

import { createCipheriv, createDecipheriv } from "node:crypto";

export const KEY_BYTES = 32;
export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;

const NONCE_HEAD_BYTES = 16;
const CIPHER = "chacha20-poly1305";
const DOUBLE_ROUNDS = 10;
/** The text "expand 32-byte k" as four words. */
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;
/** Words of the state that a double round mixes: columns, then diagonals. */
const QUARTERS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;

/** An encrypted message. */
export interface Sealed {
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

/** Encrypts a message. The nonce must never have been used with this key. */
export function seal(key: Buffer, nonce: Buffer, additional: Buffer, plaintext: Buffer): Sealed {
  const cipher = createCipheriv(CIPHER, subkeyOf(key, nonce), shortNonceOf(nonce), {
    authTagLength: TAG_BYTES,
  });
  cipher.setAAD(additional, { plaintextLength: plaintext.length });
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { ciphertext, tag: cipher.getAuthTag() };
}

/**
 * Decrypts a message. Returns undefined if any bit of the message or the additional data was
 * changed.
 */
export function tryOpen(
  key: Buffer,
  nonce: Buffer,
  additional: Buffer,
  { ciphertext, tag }: Sealed,
): Buffer | undefined {
  const decipher = createDecipheriv(CIPHER, subkeyOf(key, nonce), shortNonceOf(nonce), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(additional, { plaintextLength: ciphertext.length });
  decipher.setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  } catch {
    return undefined;
  }
}

function subkeyOf(key: Buffer, nonce: Buffer): Buffer {
  return hchacha20(key, nonce.subarray(0, NONCE_HEAD_BYTES));
}

function shortNonceOf(nonce: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(4), nonce.subarray(NONCE_HEAD_BYTES)]);
}

/** Derives a subkey from a key and the first 16 bytes of a nonce (§2.2 of the draft). */
export function hchacha20(key: Buffer, nonceHead: Buffer): Buffer {
  const state = new Uint32Array(16);
  state.set(CONSTANTS, 0);
  for (let word = 0; word < 8; word += 1) state[4 + word] = key.readUInt32LE(word * 4);
  for (let word = 0; word < 4; word += 1) state[12 + word] = nonceHead.readUInt32LE(word * 4);
  for (let round = 0; round < DOUBLE_ROUNDS; round += 1) {
    for (const [a, b, c, d] of QUARTERS) mixQuarter(state, a, b, c, d);
  }
  // Unlike ChaCha20, the initial state is not added. The first and last words are the key.
  const subkey = Buffer.alloc(KEY_BYTES);
  for (let word = 0; word < 4; word += 1) {
    subkey.writeUInt32LE(state[word] as number, word * 4);
    subkey.writeUInt32LE(state[12 + word] as number, 16 + word * 4);
  }
  return subkey;
}

function mixQuarter(state: Uint32Array, a: number, b: number, c: number, d: number): void {
  addAndTurn(state, a, b, d, 16);
  addAndTurn(state, c, d, b, 12);
  addAndTurn(state, a, b, d, 8);
  addAndTurn(state, c, d, b, 7);
}

/** Computes to += from; turned = (turned ^ to) rotated left. */
function addAndTurn(
  state: Uint32Array,
  to: number,
  from: number,
  turned: number,
  bits: number,
): void {
  const sum = (state[to] as number) + (state[from] as number);
  const mixed = (state[turned] as number) ^ sum;
  state[to] = sum;
  state[turned] = (mixed << bits) | (mixed >>> (32 - bits));
}
