/**
 * What waits on our side for a connection that takes too little: frames, and waiters for room.
 *
 * The engine refuses a frame when far more than our limit waits already. Broadcasts that it was to
 * publish are lost then; what we send to one client is kept here, so that a reply, or the
 * phx_error that tells of the loss, is not.
 *
 * Runs on: shard. Made when something has to wait.
 * Order: frames leave in the order in which they came, then the waiters get their turn.
 * Full: `length` says how much waits; the transport cuts the connection beyond its limit.
 */

import type { RoomWaiter } from "../../channel/connection.ts";

interface Frame {
  readonly data: string | Uint8Array;
  readonly isBinary: boolean;
}

/** A connection's backlog. */
export class Backlog {
  readonly #frames: Frame[] = [];
  #waiters: RoomWaiter[] = [];
  #length = 0;

  /** Sum of the lengths of all frames (text in UTF-16 units). */
  get length(): number {
    return this.#length;
  }

  get hasFrames(): boolean {
    return this.#frames.length > 0;
  }

  /** Keeps a frame; bytes are copied. */
  keep(data: string | Uint8Array, isBinary: boolean): void {
    this.#frames.push({ data: typeof data === "string" ? data : new Uint8Array(data), isBinary });
    this.#length += data.length;
  }

  /** Keeps a waiter for room. */
  wait(waiter: RoomWaiter): void {
    this.#waiters.push(waiter);
  }

  /** Sends frames, for as long as there is room. */
  flush(
    hasRoom: () => boolean,
    send: (data: string | Uint8Array, isBinary: boolean) => void,
  ): void {
    let count = 0;
    for (const { data, isBinary } of this.#frames) {
      if (!hasRoom()) break;
      count += 1;
      this.#length -= data.length;
      send(data, isBinary);
    }
    this.#frames.splice(0, count);
  }

  /** Takes out all waiters. */
  takeWaiters(): readonly RoomWaiter[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    return waiters;
  }
}
