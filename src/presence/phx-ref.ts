/**
 * Makes the `phx_ref` of each meta, by which clients tell metas apart.
 *
 *   0                    8                    16
 *   +--------------------+--------------------+
 *   | the incarnation    | a count            |   16 characters, base64 of 6 bytes each
 *   +--------------------+--------------------+   in the alphabet that is safe in URLs
 *
 * No two are the same: incarnations are drawn from 2^48, and a replica counts its own.
 *
 * Runs on: shard; one for each replica.
 */

/** The refs of one replica. */
export class PhxRefs {
  readonly #prefix: string;
  readonly #bytes = Buffer.alloc(6);
  #count = 0;

  /** @param incarnation - of the replica: an integer of 6 bytes */
  constructor(incarnation: number) {
    this.#prefix = this.#encoded(incarnation);
  }

  /** Makes one. */
  next(): string {
    const ref = this.#prefix + this.#encoded(this.#count);
    this.#count += 1;
    return ref;
  }

  #encoded(value: number): string {
    this.#bytes.writeUIntBE(value, 0, 6);
    return this.#bytes.toString("base64url");
  }
}
