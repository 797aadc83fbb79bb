/**
 * The responses of a shard, whole or streamed, whose clients have not read everything.
 *
 * Runs on: shard; one for each.
 * Full: if the node holds too much (`maxBufferBytes`), the largest are cut.
 */

import type { BufferVisit } from "../../held-bytes.ts";

/** A response that can wait for its client. */
export interface BufferedResponse {
  /** Bytes that are held for the client; 0 if none wait. */
  readonly bufferedBytes: number;
  /** Cuts the connection, and tells whoever writes the response. */
  shed(): void;
}

/** The responses with unsent bytes. */
export class StreamBuffers {
  readonly #responses = new Set<BufferedResponse>();

  /** The number of responses with unsent bytes. */
  get size(): number {
    return this.#responses.size;
  }

  /** Bytes that are held for all of them. */
  get maxHeldBytes(): number {
    let sum = 0;
    for (const { bufferedBytes } of this.#responses) sum += bufferedBytes;
    return sum;
  }

  /** Adds or removes a response, depending on whether it has unsent bytes. */
  update(response: BufferedResponse): void {
    if (response.bufferedBytes > 0) this.#responses.add(response);
    else this.#responses.delete(response);
  }

  /** Visits each response with unsent bytes. */
  visitHeld(visit: BufferVisit): void {
    for (const response of this.#responses) {
      visit(response, response.bufferedBytes);
    }
  }
}
