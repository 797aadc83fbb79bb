/**
 * Protocol and layout of the records with which a shard forwards a request to another shard.
 *
 *   the shard with the client               the shard with the session
 *     |-- request, part by part ------------------>|
 *     |<------------------------------------ next -|  after each part; after the last: accepted
 *     |<------------------ answer, part by part ---|
 *     |-- more ----------------------------------->|  after each part but the last
 *     |-- settled -------------------------------->|  delivered, or not
 *     |-- cancel --------------------------------->|  at any time: the client is gone
 *
 * A record:
 *
 *   0      1        2            4        8           10         12
 *   +------+--------+------------+--------+-----------+----------+--------
 *   | type | last   | generation | call   | value     | –        | part …
 *   +------+--------+------------+--------+-----------+----------+--------
 *     last         1 in the last part of a request or an answer
 *     generation   of the receiving member, 16 bits; if it differs, the record is for an earlier thread
 *     call         number of the request, chosen by the client's shard
 *     value        request: generation of the client's shard; answer: status; settled: 1 for delivered
 *
 * A request, put together from its parts:
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
 * Each part of a request or an answer is sent after the previous one has arrived. So only one part of
 * each is in transit at a time, whatever their length.
 *
 * Runs on: shard. Pure.
 */

import type { LongPollRequest } from "./request.ts";

/** Types of records. The first four are sent by the client's shard, the others by the session's. */
export const RECORD = {
  request: 1,
  more: 2,
  settled: 3,
  cancel: 4,
  next: 5,
  answer: 6,
} as const;

/** A type of record. */
export type RecordType = (typeof RECORD)[keyof typeof RECORD];

/** A record. */
export interface ForwardingRecord {
  readonly type: RecordType;
  readonly isLast: boolean;
  readonly generation: number;
  readonly call: number;
  readonly value: number;
  readonly part: Uint8Array;
}

/** Maximum length of a part. It fits into the smallest possible reserve for control records. */
export const PART_BYTES = 8_192;

const RECORD_HEADER_BYTES = 12;
const NOTHING = new Uint8Array(0);
const GENERATION_MASK = 0xffff;

const REQUEST_HEADER_BYTES = 28;
const NUMBER_OFFSET = 4;
const SECRET_OFFSET = 12;
const POLL = 1;
const POST = 2;

/** Returns the bits of a generation that a record contains. */
export function shortGeneration(generation: number): number {
  return generation & GENERATION_MASK;
}

/** Writes a record. Omitted fields are 0, false or empty. */
export function packRecord(
  type: RecordType,
  generation: number,
  call: number,
  rest: Partial<Pick<ForwardingRecord, "isLast" | "value" | "part">> = {},
): Uint8Array {
  const { isLast = false, value = 0, part = NOTHING } = rest;
  // Not allocated from the pool, because the exchange reads the bytes as aligned words.
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES + part.length);
  bytes[0] = type;
  bytes[1] = isLast ? 1 : 0;
  bytes.writeUInt16LE(shortGeneration(generation), 2);
  bytes.writeUInt32LE(call, 4);
  bytes.writeUInt16LE(value, 8);
  bytes.set(part, RECORD_HEADER_BYTES);
  return bytes;
}

/** Reads a record. Its part is a copy. */
export function unpackRecord(bytes: Uint8Array): ForwardingRecord {
  const view = viewOf(bytes);
  return {
    type: view[0] as RecordType,
    isLast: view[1] === 1,
    generation: view.readUInt16LE(2),
    call: view.readUInt32LE(4),
    value: view.readUInt16LE(8),
    part: Uint8Array.prototype.slice.call(view, RECORD_HEADER_BYTES),
  };
}

/** Writes a request. */
export function packRequest(request: LongPollRequest): Uint8Array {
  const body = request.kind === "post" ? request.body : undefined;
  const bytes = Buffer.alloc(REQUEST_HEADER_BYTES + (body?.length ?? 0));
  bytes[0] = request.kind === "post" ? POST : POLL;
  bytes[1] = request.kind === "post" && request.hasLines ? 1 : 0;
  bytes.writeDoubleLE(request.number, NUMBER_OFFSET);
  bytes.write(request.secret, SECRET_OFFSET, REQUEST_HEADER_BYTES - SECRET_OFFSET, "latin1");
  if (body) bytes.set(body, REQUEST_HEADER_BYTES);
  return bytes;
}

/** Reads a request. */
export function unpackRequest(bytes: Uint8Array): LongPollRequest {
  const view = viewOf(bytes);
  const number = view.readDoubleLE(NUMBER_OFFSET);
  const secret = view.toString("latin1", SECRET_OFFSET, REQUEST_HEADER_BYTES);
  if (view[0] === POLL) return { kind: "poll", number, secret };
  const body = view.subarray(REQUEST_HEADER_BYTES);
  return { kind: "post", number, secret, body, hasLines: view[1] === 1 };
}

/** Bytes that are sent in parts. */
export class OutgoingParts {
  readonly #bytes: Uint8Array;
  #offset = 0;
  #isBegun = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Number of bytes. */
  get length(): number {
    return this.#bytes.length;
  }

  /** True once the last part has been taken. */
  get isDone(): boolean {
    return this.#isBegun && this.#offset >= this.#bytes.length;
  }

  /** Takes the next part. Empty input has one empty part. */
  take(): Uint8Array {
    const part = this.#bytes.subarray(this.#offset, this.#offset + PART_BYTES);
    this.#isBegun = true;
    this.#offset += part.length;
    return part;
  }
}

/** Bytes that are received in parts. */
export class IncomingParts {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Number of bytes so far. */
  get length(): number {
    return this.#length;
  }

  add(part: Uint8Array): void {
    this.#parts.push(part);
    this.#length += part.length;
  }

  /** Returns all parts in one buffer. */
  whole(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
