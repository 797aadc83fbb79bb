/**
 * The backlog of a slow connection: frames that the engine refused, and waiters for room.
 *
 * The engine refuses a frame if far more than our limit is unsent. Broadcasts that it would have
 * published are then lost. Frames sent only to this client are kept here, so that neither a reply
 * nor the phx_error that reports the loss is lost.
 *
 * Runs on: shard. Created when a frame or a waiter has to wait.
 * Order: frames are sent in order; then the waiters resume.
 * Full: the transport cuts the connection when `length` exceeds its limit.
 */

import type { RoomWaiter } from "../../channel/connection.ts";

interface Frame {
  readonly data: string | Uint8Array;
  readonly isBinary: boolean;
}

/** A connection's backlog. */
export class Backlog {
  readonly #frames: Frame[] = [];
  #waiters = new Set<RoomWaiter>();
  #length = 0;

  /** Total length of all frames (bytes, or UTF-16 units of text). */
  get length(): number {
    return this.#length;
  }

  get hasFrames(): boolean {
    return this.#frames.length > 0;
  }

  /** Keeps a copy of a frame. */
  keep(data: string | Uint8Array, isBinary: boolean): void {
    this.#frames.push({ data: typeof data === "string" ? data : new Uint8Array(data), isBinary });
    this.#length += data.length;
  }

  /** Adds a waiter for room. */
  wait(waiter: RoomWaiter): void {
    this.#waiters.add(waiter);
  }

  /** Removes a waiter, if it is one. */
  stopWaiting(waiter: RoomWaiter): void {
    this.#waiters.delete(waiter);
  }

  /** Sends frames while there is room. */
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

  /** Removes and returns all waiters. */
  takeWaiters(): ReadonlySet<RoomWaiter> {
    const waiters = this.#waiters;
    this.#waiters = new Set();
    return waiters;
  }
}
