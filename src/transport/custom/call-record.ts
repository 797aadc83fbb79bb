/**
 * Layout of a call between two transports, and the statuses of its answer.
 *
 *   0        12          16        20
 *   +--------+-----------+---------+--------+-----------
 *   | nonce  | timeoutMs | length  | name … | request …
 *   +--------+-----------+---------+--------+-----------
 *     nonce       of the thread that is called, ASCII
 *     timeoutMs   time that the caller waits, 32 bits
 *     length      of the transport's name (bytes of UTF-8), 32 bits; all numbers little-endian
 *
 * Runs on: shard. Pure.
 */

import { FORWARDING_STATUS } from "../forwarding/answer.ts";
import { NONCE_LENGTH } from "./transport-addresses.ts";

/** Statuses of an answer. */
export const CALL_STATUS = {
  ...FORWARDING_STATUS,
  done: 200,
  late: 408,
  tooLarge: 413,
  failed: 500,
} as const;

/** A call as it is forwarded. */
export interface CallRecord {
  readonly nonce: string;
  readonly timeoutMs: number;
  /** Name of the transport. */
  readonly transport: string;
  readonly request: Uint8Array;
}

const TIMEOUT_OFFSET = NONCE_LENGTH;
const LENGTH_OFFSET = 16;
const NAME_OFFSET = 20;

/** Writes a call. */
export function packCall({ nonce, timeoutMs, transport, request }: CallRecord): Uint8Array {
  const name = Buffer.from(transport);
  const bytes = Buffer.alloc(NAME_OFFSET + name.length + request.length);
  bytes.write(nonce, 0, NONCE_LENGTH, "latin1");
  bytes.writeUInt32LE(timeoutMs, TIMEOUT_OFFSET);
  bytes.writeUInt32LE(name.length, LENGTH_OFFSET);
  bytes.set(name, NAME_OFFSET);
  bytes.set(request, NAME_OFFSET + name.length);
  return bytes;
}

/** Reads a call. Its request is a view of the bytes. */
export function unpackCall(bytes: Uint8Array): CallRecord {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const requestOffset = NAME_OFFSET + view.readUInt32LE(LENGTH_OFFSET);
  return {
    nonce: view.toString("latin1", 0, NONCE_LENGTH),
    timeoutMs: view.readUInt32LE(TIMEOUT_OFFSET),
    transport: view.toString("utf8", NAME_OFFSET, requestOffset),
    request: view.subarray(requestOffset),
  };
}
