/**
 * Who waits for the answer to a long-poll request: its client here, or on another shard.
 *
 * Runs on: shard. Types and constants only.
 */

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

/** A request of a session's client, wherever it is to be answered. */
export interface Caller {
  /**
   * Answers the request, once.
   *
   * @param messages - JSON: the batch of a poll, or nothing
   * @param settled - is told whether the batch reached the client, as far as that can be known
   */
  answer(status: number, messages: string, settled?: (isDelivered: boolean) => void): void;
}
