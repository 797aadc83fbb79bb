/**
 * The bytes of a request's body, as they arrive.
 *
 * They are kept in one buffer that grows. A list of the chunks would take a hundred times the memory if a client sends
 * a body byte by byte.
 *
 * Runs on: shard.
 */

const FIRST_BYTES = 1_024;
/** Most requests have no body. */
const EMPTY: Buffer = Buffer.alloc(0);

/** A body that is being collected. */
export class BodyBytes {
  #bytes = EMPTY;
  #length = 0;

  /** Bytes that have arrived. */
  get length(): number {
    return this.#length;
  }

  /** Memory that it takes. */
  get heldBytes(): number {
    return this.#bytes.length;
  }

  /** Adds a copy of a chunk. */
  add(chunk: ArrayBuffer): void {
    const length = this.#length + chunk.byteLength;
    if (length > this.#bytes.length) {
      // Most bodies arrive in one chunk, which then is copied once.
      const size = this.#length === 0 ? length : Math.max(length, 2 * this.#length, FIRST_BYTES);
      const larger = Buffer.allocUnsafeSlow(size);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#bytes.set(new Uint8Array(chunk), this.#length);
    this.#length = length;
  }

  /** Returns the whole body, and keeps nothing. */
  take(): Buffer {
    const whole = this.#bytes.subarray(0, this.#length);
    this.drop();
    return whole;
  }

  /** Keeps nothing. */
  drop(): void {
    this.#bytes = EMPTY;
    this.#length = 0;
  }
}
