/**
 * A message of a client, decoded.
 *
 * Runs on: any thread. Types and a comparison only.
 */

/** A client's name for a message. Opaque: whatever JSON came goes back. */
export type Ref = unknown;

/** What a client sent. Only `phx_join` and `phx_leave` are not the channel's own affair. */
export interface Message {
  readonly joinRef: Ref;
  readonly ref: Ref;
  /** Usually a string. Any other scalar matches no topic, and is echoed. */
  readonly topic: unknown;
  /** Usually a string. Anything else matches no handler. */
  readonly event: unknown;
  readonly payload: unknown;
}

/** True where two refs are the same JSON value; `"1"` and `1` are not. */
export function isSameRef(a: Ref, b: Ref): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}
