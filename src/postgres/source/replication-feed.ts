/**
 * The way of messages from a stream to the decoder, which stops while the types of a table are loaded.
 *
 * Runs on: shard, if it leads.
 * Full:    messages that arrive meanwhile are held. These are only the rest of a chunk that was already read, since the
 *          stream is paused.
 */

import type { Decoded, LoadedTypes, ReplicationDecoder } from "./replication-decoder.ts";

/** What a feed calls. */
export interface FeedOwner {
  take(decoded: Decoded, bytes: number): void;
  isFull(): boolean;
  loadTypes(): Promise<LoadedTypes>;
  /** Messages that were held can be decoded now. */
  loaded(): void;
  failed(error: unknown): void;
}

/** Passes messages on to the decoder. */
export class ReplicationFeed {
  readonly #decoder: ReplicationDecoder;
  readonly #owner: FeedOwner;
  readonly #held: Buffer[] = [];

  constructor(decoder: ReplicationDecoder, owner: FeedOwner) {
    this.#decoder = decoder;
    this.#owner = owner;
  }

  /** True between transactions. */
  get isIdle(): boolean {
    return !this.#decoder.isInTransaction && !this.isHolding;
  }

  get isHolding(): boolean {
    return this.#decoder.lacksTypes || this.#held.length > 0;
  }

  /** Takes a message. @returns false if no more should be read for now */
  take(bytes: Buffer): boolean {
    if (this.isHolding) {
      // Its memory is used again for the next one.
      this.#held.push(Buffer.from(bytes));
      return false;
    }
    this.#decode(bytes);
    return !this.isHolding && !this.#owner.isFull();
  }

  /** Decodes what was held, as far as there is room. */
  takeHeld(): void {
    while (!this.#decoder.lacksTypes && !this.#owner.isFull()) {
      const bytes = this.#held.shift();
      if (bytes === undefined) return;
      this.#decode(bytes);
    }
  }

  #decode(bytes: Buffer): void {
    for (const decoded of this.#decoder.decode(bytes)) this.#owner.take(decoded, bytes.length);
    if (this.#decoder.lacksTypes) void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.#decoder.learn(await this.#owner.loadTypes());
      this.#owner.loaded();
    } catch (error) {
      this.#owner.failed(error);
    }
  }
}
