/**
 * A request of a long-poll client for its session, and the client that waits for its answer: here, or
 * on another shard.
 *
 * Runs on: shard. Types and constants only.
 */

/** What a client asks of its session. */
export type LongPollRequest = {
  /** Of the session. */
  readonly number: number;
  /** Of the session: its client alone knows it. */
  readonly secret: string;
} & (
  | { readonly kind: "poll" }
  | { readonly kind: "post"; readonly body: Uint8Array; readonly hasLines: boolean }
);

/** Statuses in the body of an answer; `unknown` is between shards only. */
export const STATUS = {
  messages: 200,
  done: 200,
  none: 204,
  unknown: 404,
  late: 408,
  gone: 410,
  badLine: 500,
} as const;

/** Called with whether a batch reached the client; undefined: nobody can know. */
export type Settled = (isDelivered: boolean | undefined) => void;

/** The client of a request, wherever it is to be answered. */
export interface Caller {
  /**
   * Answers the request, once.
   *
   * @param messages - JSON: the batch of a poll, or nothing
   * @param settled - called with what became of the batch
   */
  answer(status: number, messages: string, settled?: Settled): void;
}
