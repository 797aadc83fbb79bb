/**
 * A broadcast as bytes, between threads and nodes: a header, then the frame of version 2.
 *
 *   0      4           8           12          16          20         24          28          32
 *   +------+-----------+-----------+-----------+-----------+----------+-----------+-----------+---
 *   | hash | topic     | topic     | event     | event     | payload  | payload   | frame     | frame …
 *   |      | offset    | length    | offset    | length    | offset   | length    | length    |
 *   +------+-----------+-----------+-----------+-----------+----------+-----------+-----------+---
 *     hash     of the topic, by this node's seed
 *     offsets  in bytes from the start of the header; all words little-endian
 *     after the frame, in a direct broadcast: the name of the node it is for, as UTF-8; in a broadcast
 *              that is left out of its topic's history: a zero byte; to other nodes, in a publish with an
 *              idempotency key: a byte of 1, and the key as UTF-8
 *
 * The offsets point into the frame. A text frame contains JSON; topic and event are without their
 * quotes. A binary frame, which its first byte identifies, contains topic and event as plain UTF-8,
 * and the bytes of the payload.
 *
 * Runs on: any thread.
 * Owns: nothing. An Envelope points into a sender's buffer or a ring, and is valid only during the
 *       call that it was read for. `topic`, `event` and `payload` return copies that last longer.
 */

import type { BroadcastParts } from "../protocol/serializer.ts";

/** Bytes of the header. */
export const HEADER_BYTES = 32;

/** Byte before a key that follows the frame. */
const KEY_MARK = 1;
/** Text before a key that is appended to the frame. */
export const KEY_MARK_TEXT = "\u0001";

/** First byte of the frame of a binary broadcast; a text frame begins with a bracket. */
const BINARY_FRAME = 2;

/**
 * Kinds of record. The first four cross the link: broadcasts to the subscribers of every node, or of
 * one other node. A gap reports lost broadcasts, and is written by the link. Mail is for one member of
 * another node, and has no topic (`node-mail` draws it). The others are between members and keepers
 * (`history-records` draws them).
 */
export const KIND = {
  broadcast: 1,
  direct: 2,
  gap: 3,
  mail: 4,
  /** To a keeper: a broadcast to number, store and publish. */
  keep: 5,
  /** From a keeper: a broadcast with its position. */
  kept: 6,
  /** To a keeper: a question. */
  ask: 7,
  /** From a keeper: kept broadcasts, in answer to a question. */
  answer: 8,
  /** From a keeper: broadcasts were lost on their way to it. */
  burned: 9,
  /** From a keeper: it has replaced one that ended, with new epochs. */
  keeperUp: 10,
  /** From a keeper: a question or a publish is settled. */
  settled: 11,
} as const;

/** A broadcast as received by listeners. */
export interface Broadcast {
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
  /** Its offset in the history of the topic, as decimal digits. Absent if it is not kept. */
  readonly offset?: string;
}

/** Handles broadcasts to a topic. If it throws, the error is logged. */
export type BroadcastHandler = (broadcast: Broadcast) => void;

/** A view of an envelope within a byte array. One object is reused for many envelopes. */
export class Envelope implements BroadcastParts {
  bytes: Uint8Array = new Uint8Array(0);
  /** Offset of the header. */
  offset = 0;
  /** Length of the header, the frame, and anything after it, in bytes. */
  length = 0;
  hash = 0;
  topicOffset = 0;
  topicLength = 0;
  eventOffset = 0;
  eventLength = 0;
  payloadOffset = 0;
  payloadLength = 0;
  frameLength = 0;
  /** Position in the history of the topic; 0 if the broadcast is not kept. Set after `read`. */
  position = 0;
  /** True if the envelope was sent by another thread. */
  readonly isReceived: boolean;

  /** @param isReceived - true if this reads envelopes sent by other threads */
  constructor(isReceived = false) {
    this.isReceived = isReceived;
  }

  /** Points this view at the envelope at `offset`. */
  read(bytes: Uint8Array, offset: number, length: number): this {
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
    this.hash = word(bytes, offset);
    this.topicOffset = offset + word(bytes, offset + 4);
    this.topicLength = word(bytes, offset + 8);
    this.eventOffset = offset + word(bytes, offset + 12);
    this.eventLength = word(bytes, offset + 16);
    this.payloadOffset = offset + word(bytes, offset + 20);
    this.payloadLength = word(bytes, offset + 24);
    this.frameLength = word(bytes, offset + 28);
    this.position = 0;
    return this;
  }

  /** True if the frame is binary, and the payload is bytes. */
  get isBinary(): boolean {
    return this.bytes[this.offset + HEADER_BYTES] === BINARY_FRAME;
  }

  /** Returns the frame without copying it. */
  frame(): Uint8Array {
    const start = this.offset + HEADER_BYTES;
    return this.bytes.subarray(start, start + this.frameLength);
  }

  /** Returns the idempotency key that follows the frame; undefined if something else does, or nothing. */
  key(): string | undefined {
    const start = this.offset + HEADER_BYTES + this.frameLength;
    const end = this.offset + this.length;
    if (start >= end || this.bytes[start] !== KEY_MARK) return undefined;
    return textOf(this.bytes, start + 1, end - start - 1);
  }

  /** Returns the name of the node that a direct broadcast is for. */
  node(): string {
    const start = this.offset + HEADER_BYTES + this.frameLength;
    return textOf(this.bytes, start, this.offset + this.length - start);
  }

  topic(): string {
    return this.#text(this.topicOffset, this.topicLength);
  }

  event(): string {
    return this.#text(this.eventOffset, this.eventLength);
  }

  /** Returns the payload, parsed or copied for each call, so that receivers share no objects. */
  payload(): unknown {
    if (this.isBinary) {
      const end = this.payloadOffset + this.payloadLength;
      return new Uint8Array(this.bytes.subarray(this.payloadOffset, end));
    }
    return JSON.parse(textOf(this.bytes, this.payloadOffset, this.payloadLength));
  }

  /**
   * Reports whether the envelope has this topic.
   *
   * @param json - the topic in quotes
   * @param length - bytes between the quotes
   */
  hasTopic(json: string, length: number): boolean {
    if (this.isBinary) return JSON.stringify(this.topic()) === json;
    if (length !== this.topicLength) return false;
    const { bytes, topicOffset } = this;
    // Non-ASCII characters have more bytes than UTF-16 units, so such topics are decoded.
    if (length !== json.length - 2) {
      return textOf(bytes, topicOffset, length) === json.slice(1, -1);
    }
    for (let at = 0; at < length; at += 1) {
      if (bytes[topicOffset + at] !== json.charCodeAt(at + 1)) return false;
    }
    return true;
  }

  #text(offset: number, length: number): string {
    const text = textOf(this.bytes, offset, length);
    return this.isBinary ? text : unescaped(text);
  }
}

/** Writes the header before a frame that was encoded with `HEADER_BYTES` of headroom. */
export function writeHeader(
  hash: number,
  parts: BroadcastParts & { readonly length: number },
): void {
  const { bytes } = parts;
  setWord(bytes, 0, hash);
  setWord(bytes, 4, parts.topicOffset);
  setWord(bytes, 8, parts.topicLength);
  setWord(bytes, 12, parts.eventOffset);
  setWord(bytes, 16, parts.eventLength);
  setWord(bytes, 20, parts.payloadOffset);
  setWord(bytes, 24, parts.payloadLength);
  setWord(bytes, 28, parts.length - HEADER_BYTES);
}

/** Writes this node's hash into another node's envelope. */
export function rehash(envelope: Uint8Array, hash: number): void {
  setWord(envelope, 0, hash);
}

// Reads bytes, because reassembled fragments are at offsets that are not aligned for an Int32Array.
function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function setWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function textOf(bytes: Uint8Array, offset: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, length).toString("utf8");
}

function unescaped(text: string): string {
  return text.includes("\\") ? (JSON.parse(`"${text}"`) as string) : text;
}
