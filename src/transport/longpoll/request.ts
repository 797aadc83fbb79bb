/**
 * A long-poll client's request to its session, and the caller that waits for the answer, on this shard
 * or another.
 *
 * A request that is forwarded:
 *
 *   0       1       2      4           12               28
 *   +-------+-------+------+-----------+----------------+--------
 *   | kind  | lines | –    | number    | secret         | body …
 *   +-------+-------+------+-----------+----------------+--------
 *     kind     1 a poll, 2 a post
 *     lines    1 if the body has lines
 *     number   of the session, a double
 *     secret   of the session, 16 characters of base64url
 *
 * Runs on: shard. Pure.
 */

import { FORWARDING_STATUS, type Settled } from "../forwarding/answer.ts";

const HEADER_BYTES = 28;
const NUMBER_OFFSET = 4;
const SECRET_OFFSET = 12;
const POLL = 1;
const POST = 2;

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
  ...FORWARDING_STATUS,
  messages: 200,
  done: 200,
  none: 204,
  late: 408,
  badLine: 500,
} as const;

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

/** Writes a request. */
export function packRequest(request: LongPollRequest): Uint8Array {
  const body = request.kind === "post" ? request.body : undefined;
  const bytes = Buffer.alloc(HEADER_BYTES + (body?.length ?? 0));
  bytes[0] = request.kind === "post" ? POST : POLL;
  bytes[1] = request.kind === "post" && request.hasLines ? 1 : 0;
  bytes.writeDoubleLE(request.number, NUMBER_OFFSET);
  bytes.write(request.secret, SECRET_OFFSET, HEADER_BYTES - SECRET_OFFSET, "latin1");
  if (body) bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** Reads a request. */
export function unpackRequest(bytes: Uint8Array): LongPollRequest {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const number = view.readDoubleLE(NUMBER_OFFSET);
  const secret = view.toString("latin1", SECRET_OFFSET, HEADER_BYTES);
  if (view[0] === POLL) return { kind: "poll", number, secret };
  const body = view.subarray(HEADER_BYTES);
  return { kind: "post", number, secret, body, hasLines: view[1] === 1 };
}
