/**
 * How much large broadcasts may leave unsent.
 *
 * The engine keeps a copy of what a client has not read, for each client. So a large broadcast to many clients could
 * take the node's memory before the next sample of what it holds (`memory/buffer-watch`). Therefore a large broadcast
 * is sent to one client after the other, for as long as what it leaves unsent fits into what the shard may hold. The
 * other channels end with phx_error.
 *
 * Runs on: shard; one for each.
 */

/** A broadcast is large if its frame, its copies for all receivers together (bytes), and their number are. */
const LARGE_FRAME_BYTES = 65_536;
const LARGE_SUM_BYTES = 4_194_304;
const MANY_RECEIVERS = 16;
/** A client for which more than this is unsent gets no large broadcast: the engine would refuse it. */
const BEHIND_BYTES = 16_777_216;

/** Reports whether a broadcast must be sent to one client after the other. */
export function isLarge(frameBytes: number, receivers: number): boolean {
  const isMany = receivers >= MANY_RECEIVERS && frameBytes * receivers >= LARGE_SUM_BYTES;
  return isMany && frameBytes >= LARGE_FRAME_BYTES;
}

/** The room for large broadcasts of a shard. */
export class BroadcastRoom {
  readonly #maxBytes: number;
  /** Bytes that the shard held at its last sample, and that large broadcasts have left unsent since then. */
  #heldBytes = 0;

  /** @param maxBytes - what the shard may hold */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Returns false if nothing more may be left unsent, or not for this client.
   *
   * @param heldBytes - bytes that are held for the client
   */
  hasRoomFor(heldBytes: number): boolean {
    return this.#heldBytes < this.#maxBytes && heldBytes <= BEHIND_BYTES;
  }

  /** Counts bytes that were left unsent. */
  left(bytes: number): void {
    this.#heldBytes += bytes;
  }

  /** Sets what the shard holds, by a sample. */
  sampled(heldBytes: number): void {
    this.#heldBytes = heldBytes;
  }
}
