/**
 * Layout of what two shards tell each other about a request that one forwards to the other.
 *
 *   caller: has the request's client             keeper: has the session
 *     |-- request, part by part ------------------>|
 *     |<------------------------------------ next -|  after each part; after the last: accepted
 *     |<------------------ answer, part by part ---|
 *     |-- more ----------------------------------->|  after each part but the last
 *     |-- settled -------------------------------->|  delivered, or not
 *     |-- cancel --------------------------------->|  at any time: the client is gone
 *
 *   0      1        2            4        8           10         12
 *   +------+--------+------------+--------+-----------+----------+--------
 *   | type | last   | generation | call   | value     | –        | part …
 *   +------+--------+------------+--------+-----------+----------+--------
 *     last         1 in the last part of a request or an answer
 *     generation   of the member that it is for, 16 bits: a mismatch is meant for an earlier thread
 *     call         the caller's number for the request
 *     value        request: generation of the caller; answer: status; settled: 1 for delivered
 *
 * Runs on: shard. Pure.
 */

/** What a record says. The first four come from callers, the others from keepers. */
export const RECORD = {
  request: 1,
  more: 2,
  settled: 3,
  cancel: 4,
  next: 5,
  answer: 6,
} as const;

/** One of them. */
export type RecordType = (typeof RECORD)[keyof typeof RECORD];

/** One record. */
export interface SessionRecord {
  readonly type: RecordType;
  readonly isLast: boolean;
  readonly generation: number;
  readonly call: number;
  readonly value: number;
  readonly part: Uint8Array;
}

const RECORD_HEADER_BYTES = 12;
const NOTHING = new Uint8Array(0);
const GENERATION_MASK = 0xffff;

/** Gives the bits of a generation that a record has. */
export function shortGeneration(generation: number): number {
  return generation & GENERATION_MASK;
}

/** Writes a record. What is left out is nothing, or false. */
export function packRecord(
  type: RecordType,
  generation: number,
  call: number,
  rest: Partial<Pick<SessionRecord, "isLast" | "value" | "part">> = {},
): Uint8Array {
  const { isLast = false, value = 0, part = NOTHING } = rest;
  // Not pooled: what sends it lays words over it.
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
export function unpackRecord(bytes: Uint8Array): SessionRecord {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    type: view[0] as RecordType,
    isLast: view[1] === 1,
    generation: view.readUInt16LE(2),
    call: view.readUInt32LE(4),
    value: view.readUInt16LE(8),
    part: Uint8Array.prototype.slice.call(view, RECORD_HEADER_BYTES),
  };
}
