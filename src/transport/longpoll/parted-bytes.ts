/**
 * Bytes that travel in parts, each sent when the one before has arrived.
 *
 * So whatever their length, only one part of them is on its way at a time.
 *
 * Runs on: shard.
 */

/** Most bytes of a part: it fits into the smallest reserve that control records can have. */
export const PART_BYTES = 8_192;

/** Bytes on their way out. */
export class OutgoingParts {
  readonly #bytes: Uint8Array;
  #offset = 0;
  #isBegun = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** True once the last part was taken. */
  get isDone(): boolean {
    return this.#isBegun && this.#offset >= this.#bytes.length;
  }

  /** Takes the next part: there is one, of no bytes, of no bytes at all. */
  take(): Uint8Array {
    const part = this.#bytes.subarray(this.#offset, this.#offset + PART_BYTES);
    this.#isBegun = true;
    this.#offset += part.length;
    return part;
  }
}

/** Bytes that have come in so far. */
export class IncomingParts {
  readonly #parts: Uint8Array[] = [];

  add(part: Uint8Array): void {
    this.#parts.push(part);
  }

  /** All of them, in one piece. */
  whole(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
