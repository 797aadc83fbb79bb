/**
 * Parcels: messages that contain everything that one turn of the link sends to one broker channel.
 *
 *   0         1         4                12
 *   +---------+---------+----------------+----------
 *   | version | zeros   | boot           | records …       boot: of the adapter that packed it
 *   +---------+---------+----------------+----------
 *
 *   a record:
 *   0         4              8             12
 *   +---------+--------------+-------------+---------+--------
 *   | kind    | topic length | body length | topic   | body …
 *   +---------+--------------+-------------+---------+--------
 *     lengths in bytes of UTF-8 and of the body; all numbers little-endian
 *     body    an envelope, a gap, the text of a keepalive; of a question, a uint32 of milliseconds, with the name of
 *             the node that asks as the topic; of an answer, a byte: 1 if it is complete
 *
 * A broker and its subscribers do work for each message. Broadcasts come in bursts (a turn reads up
 * to 256 records of the rings), and so a burst becomes a few messages. The version must be raised
 * when this format changes, or that of envelopes, gaps or mail: nodes ignore parcels of another version.
 *
 * Runs on: link.
 * Owns: the parcel's bytes until they are taken.
 */

import { randomBytes } from "node:crypto";

/** Version of the format drawn above, and of the contents of the records. */
const VERSION = 3;
const HEADER_BYTES = 12;
const BOOT_OFFSET = 4;
const RECORD_HEADER_BYTES = 12;
/** A parcel of this length is full. A single record may exceed it. */
const FULL_BYTES = 65_536;

/**
 * Kinds of record: a broadcast, a gap, a keepalive from a node that is starting (hello) or serving (here), or a question
 * for disconnects, its answer, and the end of a node (`recall`).
 */
export const RECORD_KIND = {
  broadcast: 1,
  gap: 2,
  hello: 3,
  here: 4,
  ask: 5,
  answer: 6,
  bye: 7,
} as const;

/** Handles a record of a parcel. `body` is a part of the parcel's bytes. */
export type RecordHandler = (kind: number, topic: string, body: Buffer) => void;

/** A finished parcel. */
export interface TakenParcel {
  readonly bytes: Buffer;
  /** Topics of the parcel's broadcasts, one entry for each broadcast. */
  readonly topics: readonly string[];
  readonly hasGap: boolean;
}

/**
 * Creates a boot ID, which identifies one run of an adapter. It differs between two nodes with
 * the same name, and after a restart.
 */
export function makeBoot(): Buffer {
  return randomBytes(HEADER_BYTES - BOOT_OFFSET);
}

/** The parcel that is being packed. One instance is reused for successive parcels. */
export class Parcel {
  readonly #boot: Buffer;
  #bytes = Buffer.allocUnsafeSlow(FULL_BYTES);
  #length = HEADER_BYTES;
  #topics: string[] = [];
  #hasGap = false;

  /** @param boot - the boot ID of the adapter that packs the parcel */
  constructor(boot: Buffer) {
    this.#boot = boot;
  }

  get isEmpty(): boolean {
    return this.#length === HEADER_BYTES;
  }

  get isFull(): boolean {
    return this.#length >= FULL_BYTES;
  }

  /** Returns the length that the parcel would have with another record. */
  lengthWith(topic: string, body: Uint8Array): number {
    return this.#length + RECORD_HEADER_BYTES + Buffer.byteLength(topic) + body.length;
  }

  /** Adds a record; its body is copied. */
  add(kind: number, topic: string, body: Uint8Array): void {
    const needed = this.lengthWith(topic, body);
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(needed);
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    const at = this.#length;
    const bodyAt = needed - body.length;
    this.#bytes.writeUInt32LE(kind, at);
    this.#bytes.writeUInt32LE(bodyAt - at - RECORD_HEADER_BYTES, at + 4);
    this.#bytes.writeUInt32LE(body.length, at + 8);
    this.#bytes.write(topic, at + RECORD_HEADER_BYTES);
    this.#bytes.set(body, bodyAt);
    this.#length = needed;
    if (kind === RECORD_KIND.broadcast) this.#topics.push(topic);
    else if (kind === RECORD_KIND.gap) this.#hasGap = true;
  }

  /** Returns the finished parcel, which the caller may keep, and begins the next parcel. */
  take(): TakenParcel {
    this.#bytes.fill(0, 0, HEADER_BYTES);
    this.#bytes.writeUInt8(VERSION);
    this.#bytes.set(this.#boot, BOOT_OFFSET);
    const packed = this.#bytes.subarray(0, this.#length);
    const isLarge = this.#bytes.length > FULL_BYTES;
    // The parcel is kept until it has been written, and a small parcel must not retain a large
    // buffer.
    const bytes = isLarge ? packed : Buffer.from(packed);
    if (isLarge) this.#bytes = Buffer.allocUnsafeSlow(FULL_BYTES);
    const taken = { bytes, topics: this.#topics, hasGap: this.#hasGap };
    this.#length = HEADER_BYTES;
    this.#topics = [];
    this.#hasGap = false;
    return taken;
  }
}

/**
 * Returns the boot ID of the adapter that packed a parcel; undefined if this version cannot
 * read it.
 */
export function bootOf(bytes: Buffer): Buffer | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] !== VERSION) return undefined;
  return bytes.subarray(BOOT_OFFSET, HEADER_BYTES);
}

/**
 * Passes the records of a parcel to a handler.
 *
 * @returns false if the bytes end within a record, which means that the sender is not a node
 */
export function readParcel(bytes: Buffer, onRecord: RecordHandler): boolean {
  let at = HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= bytes.length) {
    const topicAt = at + RECORD_HEADER_BYTES;
    const bodyAt = topicAt + bytes.readUInt32LE(at + 4);
    const end = bodyAt + bytes.readUInt32LE(at + 8);
    if (end > bytes.length) return false;
    const topic = bytes.toString("utf8", topicAt, bodyAt);
    onRecord(bytes.readUInt32LE(at), topic, bytes.subarray(bodyAt, end));
    at = end;
  }
  return at === bytes.length;
}
