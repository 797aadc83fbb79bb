/**
 * A long-poll client's request to its session, and the caller that waits for the answer, on this shard
 * or another.
 *
 * Runs on: shard. Types and constants only.
 */

/** A request to a session. */
export type LongPollRequest = {
  /** The session's number. */
  readonly number: number;
  /** The session's secret, known to its client only. */
  readonly secret: string;
} & (
  | { readonly kind: "poll" }
  | { readonly kind: "post"; readonly body: Uint8Array; readonly hasLines: boolean }
);

/** Statuses in the body of an answer. `unknown` is only used between shards, and `busy` as a status of HTTP. */
export const STATUS = {
  messages: 200,
  done: 200,
  none: 204,
  unknown: 404,
  late: 408,
  gone: 410,
  badLine: 500,
  busy: 503,
} as const;

/**
 * Called with true if a batch reached the client, false if it did not, or undefined if that is
 * unknown.
 */
export type Settled = (isDelivered: boolean | undefined) => void;

/** The client that waits for an answer. */
export interface Caller {
  /**
   * Answers the request, once.
   *
   * @param messages - a batch as JSON, or ""
   * @param settled - called with the outcome of the batch
   */
  answer(status: number, messages: string, settled?: Settled): void;
}
