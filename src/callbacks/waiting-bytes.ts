/**
 * Bytes of the messages of clients, and of broadcasts, that wait for user code.
 *
 * Messages wait for a join or a handler to finish, and so do broadcasts that a channel handles itself. They are counted
 * for each connection, over all its channels, by the length that they had as frames. A parsed payload takes up to 20
 * times as much memory, so the limits are low.
 *
 * Runs on: shard; one for all its connections. Has an entry only for connections whose messages wait.
 * Full: `add` returns false, and counts nothing. For a message, the caller closes the connection. For a broadcast,
 *       it ends the channel. If all connections together have more than the heap can hold, the one with the most bytes is
 *       closed.
 */

import type { BufferVisit } from "../held-bytes.ts";

/** A connection's socket. */
export interface WaitingOwner {
  /** True once the connection has ended. Messages in mailboxes still wait. */
  readonly isEnded: boolean;
  /** Closes the connection, because too many bytes of its messages wait. */
  waitTooMuch(): void;
  /** Drops the messages that wait. */
  dropWaiting(): void;
}

/** Maximum memory that a parsed message takes, in lengths of its frame. */
const PARSED_FACTOR = 20;

/**
 * Returns the limit for all connections of a shard, so that even parsed messages fit into its heap.
 *
 * @param heapBytes - the heap that they may take
 */
export function maxTotalWithin(heapBytes: number): number {
  return heapBytes / PARSED_FACTOR;
}

/** Counts waiting bytes by connection. */
export class WaitingBytes {
  /** Limit for each connection. */
  readonly maxBytes: number;
  readonly #maxTotalBytes: number;
  readonly #byOwner = new Map<WaitingOwner, number>();
  /** Bytes of all connections. */
  #totalBytes = 0;

  /**
   * @param maxBytes - limit for each connection
   * @param maxTotalBytes - limit for all connections together
   */
  constructor(maxBytes: number, maxTotalBytes: number) {
    this.maxBytes = maxBytes;
    this.#maxTotalBytes = maxTotalBytes;
  }

  /** The number of connections whose messages wait. */
  get size(): number {
    return this.#byOwner.size;
  }

  /** Counts the bytes of a message that has to wait; returns false if it may not. */
  add(owner: WaitingOwner, bytes: number): boolean {
    const sum = (this.#byOwner.get(owner) ?? 0) + bytes;
    if (sum > this.maxBytes) return false;
    this.#byOwner.set(owner, sum);
    this.#totalBytes += bytes;
    return this.#totalBytes <= this.#maxTotalBytes || this.#closeLargest(owner, bytes);
  }

  /** Makes room by closing the connection with the most bytes. @returns false if that is the one that adds */
  #closeLargest(adding: WaitingOwner, bytes: number): boolean {
    let [largest, most] = [adding, 0];
    for (const [owner, sum] of this.#byOwner) if (sum > most) [largest, most] = [owner, sum];
    if (largest === adding) {
      this.remove(adding, bytes);
      return false;
    }
    if (largest.isEnded) largest.dropWaiting();
    else largest.waitTooMuch();
    return true;
  }

  /** Counts the bytes of a message as no longer waiting. */
  remove(owner: WaitingOwner, bytes: number): void {
    const sum = this.#byOwner.get(owner);
    if (sum === undefined) return;
    this.#totalBytes -= Math.min(sum, bytes);
    if (sum > bytes) this.#byOwner.set(owner, sum - bytes);
    else this.#byOwner.delete(owner);
  }

  /** Returns the bytes of a connection that wait. */
  of(owner: WaitingOwner): number {
    return this.#totalBytes === 0 ? 0 : (this.#byOwner.get(owner) ?? 0);
  }

  /** Bytes of all connections that wait. */
  get maxHeldBytes(): number {
    return this.#totalBytes;
  }

  /** Visits connections that have ended. The transports visit the open ones. */
  visitHeld(visit: BufferVisit): void {
    for (const [owner, bytes] of this.#byOwner) {
      if (owner.isEnded) visit({ shed: () => owner.dropWaiting() }, bytes);
    }
  }
}
