/**
 * Keys derived from the secret of an application (PBKDF2, RFC 8018), each derived once.
 *
 * Runs on: any thread; each has its own cache.
 * Full:    the key that was not used for the longest time is forgotten, and derived again when asked for.
 */

import { pbkdf2Sync } from "node:crypto";

/** Digest of a derivation, as Phoenix names it. */
export type KeyDigest = "sha256" | "sha384" | "sha512";

/** How a key is derived from a secret and a salt. */
export interface KeyShape {
  readonly iterations: number;
  readonly lengthBytes: number;
  readonly digest: KeyDigest;
}

/** Derived keys by all that they depend on. */
export class KeyCache {
  readonly #capacity: number;
  // In the order of their last use.
  readonly #keys = new Map<string, Buffer>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get count(): number {
    return this.#keys.size;
  }

  /** Gives the key of a secret and a salt. Nobody may write to it. */
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
