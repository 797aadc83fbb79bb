/**
 * Keys derived from an application's secret with PBKDF2 (RFC 8018), each derived once.
 *
 * Runs on: any thread; each has its own cache.
 * Full:    drops the least recently used key, which is derived again when it is next needed.
 */

import { pbkdf2Sync } from "node:crypto";

/** Digest for key derivation, named as in Phoenix. */
export type KeyDigest = "sha256" | "sha384" | "sha512";

/** Parameters for deriving a key from a secret and a salt. */
export interface KeyShape {
  readonly iterations: number;
  readonly lengthBytes: number;
  readonly digest: KeyDigest;
}

/** Derived keys by secret, salt and derivation. */
export class KeyCache {
  readonly #capacity: number;
  // Sorted by last use, least recently used first.
  readonly #keys = new Map<string, Buffer>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get count(): number {
    return this.#keys.size;
  }

  /**
   * Returns the key derived from a secret and a salt. The buffer is shared, so do not write to it.
   *
   * @internal so that the published types need none of Node.js's
   */
  derive(secret: string, salt: string, shape: KeyShape): Buffer {
    const { iterations, lengthBytes, digest } = shape;
    const name = JSON.stringify([secret, salt, iterations, lengthBytes, digest]);
    const known = this.#keys.get(name);
    const key = known ?? pbkdf2Sync(secret, salt, iterations, lengthBytes, digest);
    this.#keys.delete(name);
    this.#keys.set(name, key);
    if (this.#keys.size > this.#capacity) this.#forgetOldest();
    return key;
  }

  #forgetOldest(): void {
    const [oldest] = this.#keys.keys();
    if (oldest !== undefined) this.#keys.delete(oldest);
  }
}
