/**
 * The answer to a forwarded request, and the caller that waits for it.
 *
 * Runs on: shard. Types and constants only.
 */

/** Statuses of answers that do not come from the other shard's service. Services add their own. */
export const FORWARDING_STATUS = {
  /** There is nobody at the address, or it did not confirm the request in time. */
  unknown: 404,
  /** The thread at the address has ended. */
  gone: 410,
  /** The request was given up, because the node holds too much. */
  busy: 503,
} as const;

/**
 * Called with true if an answer reached the client, false if it did not, or undefined if that is
 * unknown.
 */
export type Settled = (isDelivered: boolean | undefined) => void;

/** Whoever waits for the answer to a forwarded request. */
export interface ForwardingCaller {
  /**
   * Answers the request, once.
   *
   * @param settled - on the shard that serves the request: called with the outcome, if it wants to know;
   *   on the other: may be called with the outcome, once
   */
  answer(status: number, body: Uint8Array, settled?: Settled): void;
}
