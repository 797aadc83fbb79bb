/**
 * Bytes of the messages of clients that wait for user code.
 *
 * Messages wait behind a join and behind a handler. They are counted for each connection, over all its channels, with
 * the length that they had as frames. A parsed payload takes up to 20 times as much memory, so the limit is far below
 * what a connection could hold otherwise.
 *
 * Runs on: shard; one for all its connections. Has an entry only for connections whose messages wait.
 * Full: `add` returns false, and counts nothing. The caller closes the connection.
 */

/** A connection's socket. */
export interface WaitingOwner {
  /** Closes the connection, because too many bytes of its messages wait. */
  waitTooMuch(): void;
}

/** Counts waiting bytes by connection. */
export class WaitingBytes {
  readonly #maxBytes: number;
  readonly #byOwner = new Map<WaitingOwner, number>();

  /** @param maxBytes - limit for each connection */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The number of connections whose messages wait. */
  get size(): number {
    return this.#byOwner.size;
  }

  /** Counts the bytes of a message that has to wait; returns false if it may not. */
  add(owner: WaitingOwner, bytes: number): boolean {
    const sum = (this.#byOwner.get(owner) ?? 0) + bytes;
    if (sum > this.#maxBytes) return false;
    this.#byOwner.set(owner, sum);
    return true;
  }

  /** Counts the bytes of a message as no longer waiting. */
  remove(owner: WaitingOwner, bytes: number): void {
    const sum = this.#byOwner.get(owner);
    if (sum === undefined) return;
    if (sum > bytes) this.#byOwner.set(owner, sum - bytes);
    else this.#byOwner.delete(owner);
  }
}
