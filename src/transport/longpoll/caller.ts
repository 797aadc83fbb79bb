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

/**
 * Is told whether a batch reached the client, as far as that can be known; undefined: it cannot.
 */
export type Settled = (isDelivered: boolean | undefined) => void;

/** A request of a session's client, wherever it is to be answered. */
export interface Caller {
  /**
   * Answers the request, once.
   *
   * @param messages - JSON: the batch of a poll, or nothing
   * @param settled - is told what became of the batch
   */
  answer(status: number, messages: string, settled?: Settled): void;
}
