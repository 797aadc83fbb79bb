/**
 * PORT: the parts of a thread that hold bytes for clients, requests or other members. Implemented by the
 * transports and by everything else in which bytes wait.
 *
 * `memory/buffer-watch` keeps what all of them hold below `maxBufferBytes`.
 *
 * Runs on: any thread. Types only.
 */

/** Something for which bytes are held: a client, a request, or another member. */
export interface BufferOwner {
  /** Frees everything that is held for it, if necessary by closing it. */
  shed(): void;
}

/** Called for each owner, with the bytes that are held for it. */
export type BufferVisit = (owner: BufferOwner, bytes: number) => void;

/** A part of a thread that holds bytes for owners. */
export interface BufferSource {
  /** Bytes that it holds at most; costs nothing to read. */
  readonly maxHeldBytes: number;
  /** Visits each owner for which bytes are held, at most once. */
  visitHeld(visit: BufferVisit): void;
}
