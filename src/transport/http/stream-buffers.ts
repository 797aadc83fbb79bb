/**
 * The streamed responses of a shard whose clients have not read everything.
 *
 * Runs on: shard; one for each.
 * Full: if the node holds too much (`maxBufferBytes`), the largest are cut.
 */

import type { BufferVisit } from "../../held-bytes.ts";

/** A streamed response. */
export interface BufferedStream {
  /** Bytes that could not be sent yet. */
  readonly bufferedBytes: number;
  /** Cuts the connection. */
  abort(): void;
}

/** The streams with unsent bytes. */
export class StreamBuffers {
  readonly #streams = new Set<BufferedStream>();

  /** The number of streams with unsent bytes. */
  get size(): number {
    return this.#streams.size;
  }

  /** Unsent bytes of all streams. */
  get maxHeldBytes(): number {
    let sum = 0;
    for (const { bufferedBytes } of this.#streams) sum += bufferedBytes;
    return sum;
  }

  /** Adds or removes a stream, depending on whether it has unsent bytes. */
  update(stream: BufferedStream): void {
    if (stream.bufferedBytes > 0) this.#streams.add(stream);
    else this.#streams.delete(stream);
  }

  /** Visits each stream with unsent bytes. */
  visitHeld(visit: BufferVisit): void {
    for (const stream of this.#streams) {
      visit({ shed: () => stream.abort() }, stream.bufferedBytes);
    }
  }
}
