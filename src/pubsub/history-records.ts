/**
 * Records between members and the keepers of histories.
 *
 *   KEEP, to a keeper, and KEPT, from a keeper: the envelope of a broadcast, and a trailer
 *
 *   0          32            32 + f      36 + f   38 + f       40 + f     48 + f
 *   +----------+-------------+-----------+--------+------------+----------+----------------
 *   | header   | frame       | excluded  | member | generation | position | of a publish:
 *   |          | (f bytes)   | channel   |        |            |          | JSON …
 *   +----------+-------------+-----------+--------+------------+----------+----------------
 *     excluded channel   number of the channel that is left out, 0 for none; a uint32. Only the
 *                        member that wrote the record can resolve it, while it has this generation
 *     position           of the broadcast in its topic, a uint64; 0 in KEEP
 *     JSON               {"request":7,"key":"order-1"}; KEEP has the flag ASKED then. The request is 0 for a
 *                        publish of another node, for which nobody waits
 *
 *   A keeper stores the envelope and, if a channel is excluded, the first 8 bytes of the trailer.
 *
 *   ASK, to a keeper: JSON
 *     {"ask":"pull","request":1,"topic":"room:1","epoch":"k3f9","after":1000000000017,"maxBytes":32768}
 *     {"ask":"pull","request":2,"topic":"room:1","last":50,"whole":true,"maxBytes":32768}
 *     {"ask":"clear","request":3,"topic":"room:1"}
 *     {"ask":"probe","request":4}
 *
 *   ANSWER, from a keeper, to a pull
 *
 *   0        4          4 + h
 *   +--------+----------+---------+---------+--
 *   | h      | head as  | message | message | ...
 *   |        | JSON     |         |         |
 *   +--------+----------+---------+---------+--
 *
 *   message  | length of the stored bytes, a uint32 | position, a uint64 | stored bytes |
 *
 *   head     {"request":1,"epoch":"k3f9","after":1000000000017,"head":1000000000022,
 *             "count":5,"recovered":true,"isLast":true}
 *
 *   SETTLED, from a keeper, to a publish, a clear or a probe: JSON
 *     {"request":5,"epoch":"k3f9","position":1000000000018}
 *     {"request":5,"error":"…"}
 *
 *   BURNED, from a keeper: slots in which it lost records, an int32 each; an empty list means all
 *   KEEPER_UP, from a keeper: no bytes
 *
 * All numbers are little-endian. ASK and SETTLED are control records, which are never lapped. The
 * others belong to the slot of their topic; BURNED and KEEPER_UP to GAP_SLOT.
 *
 * Runs on: any thread. Pure functions.
 */

import { makeError } from "../errors.ts";
import { Envelope, HEADER_BYTES, rehash } from "./envelope.ts";
import type { LappedNotice } from "./outgoing-records.ts";

/** Bytes of a trailer. */
export const TRAILER_BYTES = 16;
/** Bytes of the excluded channel, its member and generation. */
const SENDER_BYTES = 8;
/** Flag of a KEEP record that ends with JSON. */
export const ASKED_FLAG = 1;
/** The request of a publish for which nobody waits on this node. */
export const NO_REQUEST = 0;

const WORD = 2 ** 32;
const MESSAGE_HEADER_BYTES = 12;
const LENGTH_BYTES = 4;

/** What a trailer contains. One object is reused for many trailers. */
export class Trailer {
  /** Number of the excluded channel; 0 if there is none. */
  channel = 0;
  /** The member that the channel belongs to, and its generation. */
  member = 0;
  generation = 0;

  /** Reads the stored part of a trailer. */
  read(bytes: Uint8Array, at: number): this {
    this.channel = uint32(bytes, at);
    this.member = uint16(bytes, at + 4);
    this.generation = uint16(bytes, at + 6);
    return this;
  }

  /** Excludes no channel. */
  clear(): void {
    this.channel = 0;
    this.member = 0;
    this.generation = 0;
  }

  /** Writes a trailer without a position. */
  write(bytes: Uint8Array, at: number): void {
    setUint32(bytes, at, this.channel);
    setUint16(bytes, at + 4, this.member);
    setUint16(bytes, at + 6, this.generation);
    setPosition(bytes, at + SENDER_BYTES, 0);
  }
}

/** Returns the offset of the trailer in a record whose envelope starts at `offset`. */
export function trailerAt(offset: number, frameLength: number): number {
  return offset + HEADER_BYTES + frameLength;
}

/** Returns where the part that a keeper stores ends. */
export function storedEnd(bytes: Uint8Array, trailer: number): number {
  return uint32(bytes, trailer) === 0 ? trailer : trailer + SENDER_BYTES;
}

/** Reads the position in a trailer. */
export function positionIn(bytes: Uint8Array, trailer: number): number {
  return position(bytes, trailer + SENDER_BYTES);
}

/** Writes the position into a trailer. */
export function setPositionIn(bytes: Uint8Array, trailer: number, value: number): void {
  setPosition(bytes, trailer + SENDER_BYTES, value);
}

/**
 * Makes the stored bytes of a message, which another process has kept, those of this one: with its hash
 * of the topic, and nobody excluded. Changes the given bytes, and returns a part of them.
 *
 * @throws SIM_ERR_INTERNAL if they are too short for what they contain
 */
export function adoptStored(bytes: Uint8Array, hash: number): Uint8Array {
  const { frameLength } = new Envelope().read(bytes, 0, bytes.length);
  const trailer = trailerAt(0, frameLength);
  if (!(frameLength >= 0 && trailer <= bytes.length)) {
    const got = `${trailer} of ${bytes.length} (bytes)`;
    throw makeError("SIM_ERR_INTERNAL", `the frame of a kept message must be complete, got ${got}`);
  }
  rehash(bytes, hash);
  return bytes.subarray(0, trailer);
}

/** The JSON of a publish. */
export interface PublishNote {
  readonly request: number;
  readonly key?: string;
}

/** A question to a keeper. */
export type Ask =
  | {
      readonly ask: "pull";
      readonly request: number;
      readonly topic: string;
      readonly epoch?: string;
      /** Position after which messages are wanted. */
      readonly after?: number;
      /** Number of the last messages that are wanted if `after` is absent or cannot be recovered. */
      readonly last?: number;
      /** Whether `recovered` and `count` cover everything up to the head, not only the answer. */
      readonly whole?: true;
      readonly maxBytes: number;
    }
  | { readonly ask: "clear"; readonly request: number; readonly topic: string }
  | { readonly ask: "probe"; readonly request: number };

/** Head of the answer to a pull. */
export interface AnswerHead {
  readonly request: number;
  readonly epoch: string;
  /** Position after which the messages of the answer follow. */
  readonly after: number;
  /** Position of the topic's last message. */
  readonly head: number;
  /** Number of messages between `after` and `head`, if the question was `whole`; otherwise 0. */
  readonly count: number;
  /**
   * Whether nothing is missing from the asked position to the end of the answer, or to `head` if the
   * question was `whole`. If false, the stream goes on after `after`, from which nothing is missing.
   */
  readonly recovered: boolean;
  /** Whether the answer contains all messages up to `head`. */
  readonly isLast: boolean;
}

/** How a publish, a clear or a probe was settled. */
export interface Settled {
  readonly request: number;
  readonly epoch?: string;
  readonly position?: number;
  /** Why it failed. */
  readonly error?: string;
}

/** Encodes one of the records that consist of JSON. */
export function packJson(value: Ask | Settled | PublishNote): Uint8Array {
  // Not from the pool, because the exchange reads the bytes as words, which must be aligned.
  const text = JSON.stringify(value);
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

/** Decodes one of the records that consist of JSON. */
export function unpackJson(bytes: Uint8Array, offset: number, length: number): unknown {
  return JSON.parse(textAt(bytes, offset, length));
}

/** Assembles the answer to a pull. Owns its buffer; the result is valid until the next `begin`. */
export class AnswerWriter {
  bytes: Uint8Array = new Uint8Array(new ArrayBuffer(4_096));
  /** Length of the assembled messages. */
  #length = 0;

  /** Begins the next answer. */
  begin(): void {
    this.#length = 0;
  }

  /** Length of the messages so far (bytes). */
  get messageBytes(): number {
    return this.#length;
  }

  /** Adds a message. */
  add(value: number, source: Uint8Array, offset: number, length: number): void {
    const at = HEAD_ROOM_BYTES + this.#length;
    this.#ensure(at + MESSAGE_HEADER_BYTES + length);
    setUint32(this.bytes, at, length);
    setPosition(this.bytes, at + 4, value);
    this.bytes.set(source.subarray(offset, offset + length), at + MESSAGE_HEADER_BYTES);
    this.#length += MESSAGE_HEADER_BYTES + length;
  }

  /**
   * Writes the head before the messages, which it moves to follow it.
   *
   * @returns length of the whole answer, from the start of `bytes`
   */
  finish(head: AnswerHead): number {
    const text = Buffer.from(JSON.stringify(head));
    const first = LENGTH_BYTES + text.length;
    this.#ensure(first + this.#length);
    this.bytes.copyWithin(first, HEAD_ROOM_BYTES, HEAD_ROOM_BYTES + this.#length);
    setUint32(this.bytes, 0, text.length);
    this.bytes.set(text, LENGTH_BYTES);
    return first + this.#length;
  }

  #ensure(length: number): void {
    if (length <= this.bytes.length) return;
    const larger = new Uint8Array(new ArrayBuffer(Math.max(length, this.bytes.length * 2)));
    larger.set(this.bytes);
    this.bytes = larger;
  }
}

/** Room for the head of an answer while its messages are added. */
const HEAD_ROOM_BYTES = 512;

/** The answer to a pull. Valid during the call that it was read for. */
export class Answer {
  readonly head: AnswerHead;
  readonly #bytes: Uint8Array;
  readonly #first: number;
  readonly #end: number;
  #at: number;
  /** Position of the current message. */
  position = 0;
  /** Location of the stored bytes of the current message. */
  offset = 0;
  length = 0;

  constructor(bytes: Uint8Array, offset: number, length: number) {
    const headBytes = uint32(bytes, offset);
    const first = offset + LENGTH_BYTES;
    this.head = JSON.parse(textAt(bytes, first, headBytes)) as AnswerHead;
    this.#bytes = bytes;
    this.#first = first + headBytes;
    this.#at = this.#first;
    this.#end = offset + length;
  }

  /** Moves before the first message. */
  rewind(): void {
    this.#at = this.#first;
  }

  /** Moves to the next message. @returns false if there is none */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    this.length = uint32(this.#bytes, this.#at);
    this.position = position(this.#bytes, this.#at + 4);
    this.offset = this.#at + MESSAGE_HEADER_BYTES;
    this.#at = this.offset + this.length;
    return true;
  }

  /** Reads the current message: its envelope, and the channel that it excludes. */
  read(envelope: Envelope, trailer: Trailer): void {
    envelope.read(this.#bytes, this.offset, this.length);
    envelope.position = this.position;
    const end = trailerAt(this.offset, envelope.frameLength);
    envelope.length = end - this.offset;
    if (this.length > envelope.length) trailer.read(this.#bytes, end);
    else trailer.clear();
  }
}

/** Encodes the slots in which a keeper lost records. */
export function packBurned(slots: LappedNotice): Uint8Array {
  const words = slots === "all" ? new Int32Array(0) : Int32Array.from(slots);
  return new Uint8Array(words.buffer);
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

function setUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

function uint32(bytes: Uint8Array, at: number): number {
  return (uint16(bytes, at) | (uint16(bytes, at + 2) << 16)) >>> 0;
}

function setUint32(bytes: Uint8Array, at: number, value: number): void {
  setUint16(bytes, at, value);
  setUint16(bytes, at + 2, value >>> 16);
}

function position(bytes: Uint8Array, at: number): number {
  return uint32(bytes, at) + uint32(bytes, at + 4) * WORD;
}

function setPosition(bytes: Uint8Array, at: number, value: number): void {
  setUint32(bytes, at, value % WORD);
  setUint32(bytes, at + 4, Math.floor(value / WORD));
}

function textAt(bytes: Uint8Array, offset: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, length).toString("utf8");
}
