/**
 * Protocol and layout of the records with which a shard forwards a request to another shard.
 *
 *   the shard that forwards it              the shard that serves it
 *     |-- request, part by part ------------------>|
 *     |<------------------------------------ next -|  after each part; after the last: confirmed
 *     |<------------------ answer, part by part ---|
 *     |-- more ----------------------------------->|  after each part but the last
 *     |-- settled -------------------------------->|  delivered, or not
 *     |-- cancel --------------------------------->|  at any time: the caller is gone
 *
 * A record:
 *
 *   0      1        2            4        8           10         12
 *   +------+--------+------------+--------+-----------+----------+--------
 *   | type | flags  | generation | call   | value     | service  | part …
 *   +------+--------+------------+--------+-----------+----------+--------
 *     flags        1 in the last part of a request or an answer; 2 in the first part of a request. A part without it is
 *                  dropped if its request is not known any more: it must not pass for a whole one
 *     generation   of the receiving member, 16 bits; if it differs, the record is for an earlier thread
 *     call         number of the request, chosen by the shard that forwards it
 *     value        request: generation of that shard; answer: status; settled: 1 for delivered
 *     service      which requests these are: of long-poll, or calls of custom transports
 *
 * Each part of a request or an answer is sent after the previous one has arrived. So only one part of
 * each is in transit at a time, whatever their length.
 *
 * Runs on: shard. Pure.
 */

/** Types of records. The first four are sent by the shard that forwards a request, the others by the one that serves it. */
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

/** The services whose requests are forwarded. */
export const SERVICE = { longpoll: 0, calls: 1 } as const;

/** A service whose requests are forwarded. */
export type Service = (typeof SERVICE)[keyof typeof SERVICE];

/** A record. */
export interface ForwardingRecord {
  readonly type: RecordType;
  readonly isLast: boolean;
  /** Whether this is the first part of a request. */
  readonly isFirst: boolean;
  readonly generation: number;
  readonly call: number;
  readonly value: number;
  readonly part: Uint8Array;
}

/** Maximum length of a part. It fits into the smallest possible reserve for control records. */
export const PART_BYTES = 8_192;

/** Length of a record without a part. */
export const RECORD_HEADER_BYTES = 12;
const LAST = 1;
const FIRST = 2;
const SERVICE_OFFSET = 10;
const NOTHING = new Uint8Array(0);
const GENERATION_MASK = 0xffff;

/** Returns the bits of a generation that a record contains. */
export function shortGeneration(generation: number): number {
  return generation & GENERATION_MASK;
}

/** Writes a record. Omitted fields are 0, false or empty. */
export function packRecord(
  type: RecordType,
  generation: number,
  call: number,
  rest: Partial<Pick<ForwardingRecord, "isLast" | "isFirst" | "value" | "part">> = {},
): Uint8Array {
  const { isLast = false, isFirst = false, value = 0, part = NOTHING } = rest;
  // Not allocated from the pool, because the exchange reads the bytes as aligned words.
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES + part.length);
  bytes[0] = type;
  bytes[1] = (isLast ? LAST : 0) | (isFirst ? FIRST : 0);
  bytes.writeUInt16LE(shortGeneration(generation), 2);
  bytes.writeUInt32LE(call, 4);
  bytes.writeUInt16LE(value, 8);
  bytes.set(part, RECORD_HEADER_BYTES);
  return bytes;
}

/** Writes a service into a record. */
export function stampService(record: Uint8Array, service: Service): void {
  record[SERVICE_OFFSET] = service;
}

/** Returns the service of a record. */
export function serviceOf(record: Uint8Array): Service {
  return record[SERVICE_OFFSET] as Service;
}

/** Reads a record, which has at least a header. Its part is a copy. */
export function unpackRecord(bytes: Uint8Array): ForwardingRecord {
  const view = viewOf(bytes);
  const flags = view[1] as number;
  return {
    type: view[0] as RecordType,
    isLast: (flags & LAST) !== 0,
    isFirst: (flags & FIRST) !== 0,
    generation: view.readUInt16LE(2),
    call: view.readUInt32LE(4),
    value: view.readUInt16LE(8),
    part: Uint8Array.prototype.slice.call(view, RECORD_HEADER_BYTES),
  };
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

  /** False until a part has been taken. */
  get isBegun(): boolean {
    return this.#isBegun;
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
