/**
 * A file of histories: topics with their messages, and the keys of publishes, as bytes.
 *
 *   0            8           12
 *   +------------+-----------+--------+--------+-- ... --+----------------+
 *   | "SIMURGHH" | format    | record | record |         | SHA-256 of all |
 *   |            | (uint32)  |        |        |         | bytes before   |
 *   +------------+-----------+--------+--------+-- ... --+----------------+
 *
 *   topic    | 1 | head (double) | used (double) | epoch (text) | name (text) |
 *     head     the newest offset used
 *     used     time of the last use (ms since the Unix epoch)
 *
 *   message  | 2 | offset (double) | time (double) | length (uint32) | bytes ... |
 *     of the topic before it, in the order of their offsets; offsets that are not in the file are missing
 *
 *   key      | 3 | position (double) | until (double) | epoch (text) | topic (text) | key (text) |
 *     position  where the publish with this key was kept, in this epoch
 *     until     when the key is forgotten (ms since the Unix epoch)
 *
 *   text     | length (uint32) | UTF-16 ... |       in bytes; UTF-16 also has names that are not valid Unicode
 *
 * All numbers are little-endian. The hash makes a file that is not complete unreadable. It protects
 * against accidents, not against somebody who can write the file.
 *
 * The bytes of a message are opaque here. They are those of `pubsub/history-records`, so FORMAT must
 * be raised when these change, too.
 *
 * Runs on: keeper. Reads and writes synchronously, in pieces of 256 KiB: nothing else can be done
 *       meanwhile.
 * Owns:    nothing. The caller opens and closes the descriptor.
 * Full:    an error of the file system is thrown to the caller.
 */

import { createHash, type Hash } from "node:crypto";
import { fstatSync, readSync, writeSync } from "node:fs";

import { makeError } from "../errors.ts";

/** Version of the format, of records and of the bytes of messages. */
export const FORMAT = 1;

/** How each file begins. */
export const MAGIC = "SIMURGHH";
const HEADER_BYTES = 12;
const DIGEST_BYTES = 32;
const PIECE_BYTES = 262_144;

const TOPIC = 1;
const MESSAGE = 2;
const KEY = 3;

/** Bytes of a record before its texts or the bytes of its message. */
const NUMBERS_BYTES = 17;
const LENGTH_BYTES = 4;

/** A topic in a file. Its messages follow. */
export interface SavedTopic {
  readonly name: string;
  readonly epoch: string;
  readonly head: number;
  readonly usedMs: number;
}

/** The key of a publish in a file. */
export interface SavedKey {
  readonly topic: string;
  readonly key: string;
  readonly epoch: string;
  readonly position: number;
  readonly untilMs: number;
}

/** Takes the records of a file, in their order. */
export interface RecordVisitor {
  onTopic(topic: SavedTopic): void;
  /** @param bytes - valid during the call, in which they may be changed */
  onMessage(offset: number, timeMs: number, bytes: Uint8Array): void;
  onKey(key: SavedKey): void;
}

/** Writes a file of histories. */
export class HistoryFileWriter {
  readonly #descriptor: number;
  readonly #beforeAccess: () => void;
  readonly #hash: Hash = createHash("sha256");
  readonly #piece = Buffer.alloc(PIECE_BYTES);
  #length = 0;
  #written = 0;

  /**
   * @param descriptor - of an empty file
   * @param beforeAccess - called before each access to the file; may throw, to give up
   */
  constructor(descriptor: number, beforeAccess: () => void) {
    this.#descriptor = descriptor;
    this.#beforeAccess = beforeAccess;
    this.#bytes(Buffer.from(MAGIC));
    this.#uint32(FORMAT);
  }

  /** Adds a topic. Its messages must follow. */
  topic({ name, epoch, head, usedMs }: SavedTopic): void {
    this.#numbers(TOPIC, head, usedMs);
    this.#text(epoch);
    this.#text(name);
  }

  /** Adds a message to the last topic. */
  message(offset: number, timeMs: number, bytes: Uint8Array): void {
    this.#numbers(MESSAGE, offset, timeMs);
    this.#uint32(bytes.length);
    this.#bytes(bytes);
  }

  /** Adds the key of a publish. */
  key({ topic, key, epoch, position, untilMs }: SavedKey): void {
    this.#numbers(KEY, position, untilMs);
    this.#text(epoch);
    this.#text(topic);
    this.#text(key);
  }

  /** Completes the file. @returns its size (bytes) */
  end(): number {
    this.#flush();
    this.#bytes(this.#hash.digest());
    this.#writeOut();
    return this.#written;
  }

  #numbers(kind: number, one: number, other: number): void {
    this.#ensure(NUMBERS_BYTES);
    this.#piece.writeUInt8(kind, this.#length);
    this.#piece.writeDoubleLE(one, this.#length + 1);
    this.#piece.writeDoubleLE(other, this.#length + 9);
    this.#length += NUMBERS_BYTES;
  }

  #uint32(value: number): void {
    this.#ensure(LENGTH_BYTES);
    this.#piece.writeUInt32LE(value, this.#length);
    this.#length += LENGTH_BYTES;
  }

  #text(text: string): void {
    this.#uint32(text.length * 2);
    this.#bytes(Buffer.from(text, "utf16le"));
  }

  #bytes(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      this.#ensure(1);
      const part = bytes.subarray(at, at + PIECE_BYTES - this.#length);
      this.#piece.set(part, this.#length);
      this.#length += part.length;
      at += part.length;
    }
  }

  #ensure(length: number): void {
    if (this.#length + length > PIECE_BYTES) this.#flush();
  }

  #flush(): void {
    this.#hash.update(this.#piece.subarray(0, this.#length));
    this.#writeOut();
  }

  #writeOut(): void {
    this.#beforeAccess();
    for (let at = 0; at < this.#length;) {
      const written = writeSync(
        this.#descriptor,
        this.#piece,
        at,
        this.#length - at,
        this.#written,
      );
      at += written;
      this.#written += written;
    }
    this.#length = 0;
  }
}

/** Reads a file of histories. */
export class HistoryFileReader {
  readonly #descriptor: number;
  readonly #beforeAccess: () => void;
  readonly #size: number;
  #piece = Buffer.alloc(PIECE_BYTES);
  /** Position in the file after what is in the piece. */
  #position = 0;
  /** What has not been taken of the piece. */
  #start = 0;
  #end = 0;

  /** @param beforeAccess - called before each access to the file; may throw, to give up */
  constructor(descriptor: number, beforeAccess: () => void) {
    this.#descriptor = descriptor;
    this.#beforeAccess = beforeAccess;
    this.#size = fstatSync(descriptor).size;
  }

  /** Checks the whole file. @returns why it cannot be used, or undefined */
  check(): string | undefined {
    const header = Buffer.alloc(HEADER_BYTES);
    this.#readAt(0, header, HEADER_BYTES);
    if (!header.subarray(0, MAGIC.length).equals(Buffer.from(MAGIC))) {
      return "it is not a file of histories";
    }
    const format = header.readUInt32LE(MAGIC.length);
    if (format !== FORMAT) return `its format must be ${FORMAT}, got ${format}`;
    const hash = createHash("sha256");
    const digest = Buffer.alloc(DIGEST_BYTES);
    const end = this.#size - DIGEST_BYTES;
    for (let at = 0; at < end;) {
      const length = this.#readAt(at, this.#piece, Math.min(PIECE_BYTES, end - at));
      if (length === 0) break;
      hash.update(this.#piece.subarray(0, length));
      at += length;
    }
    this.#readAt(Math.max(end, 0), digest, DIGEST_BYTES);
    return hash.digest().equals(digest) ? undefined : "it is damaged or not complete";
  }

  /**
   * Visits the records of a file that has been checked.
   *
   * @throws SIM_ERR_INTERNAL if the records are not as drawn above
   */
  visit(visitor: RecordVisitor): void {
    this.#position = HEADER_BYTES;
    this.#start = 0;
    this.#end = 0;
    while (this.#left > 0) this.#visitOne(visitor);
  }

  /** Number of bytes of records that have not been taken. */
  get #left(): number {
    return this.#size - DIGEST_BYTES - this.#position + this.#end - this.#start;
  }

  #visitOne(visitor: RecordVisitor): void {
    const at = this.#take(NUMBERS_BYTES);
    const kind = this.#piece[at];
    const one = this.#piece.readDoubleLE(at + 1);
    const other = this.#piece.readDoubleLE(at + 9);
    switch (kind) {
      case TOPIC: {
        const epoch = this.#text();
        visitor.onTopic({ name: this.#text(), epoch, head: one, usedMs: other });
        break;
      }
      case MESSAGE:
        visitor.onMessage(one, other, this.#bytes());
        break;
      case KEY: {
        const epoch = this.#text();
        const topic = this.#text();
        visitor.onKey({ topic, key: this.#text(), epoch, position: one, untilMs: other });
        break;
      }
      default:
        throw makeError("SIM_ERR_INTERNAL", `a record must be of kind 1 to 3, got ${kind}`);
    }
  }

  /** Returns the next bytes with their length before them. They are valid until the next call. */
  #bytes(): Buffer {
    const length = this.#piece.readUInt32LE(this.#take(LENGTH_BYTES));
    const start = this.#take(length);
    return this.#piece.subarray(start, start + length);
  }

  #text(): string {
    return this.#bytes().toString("utf16le");
  }

  /** Takes the next bytes. @returns where they begin in the piece */
  #take(length: number): number {
    // Before memory is allocated: no length is larger than its file.
    if (length > this.#left) {
      throw makeError(
        "SIM_ERR_INTERNAL",
        `a record must end within its file, got ${length} (bytes), of which ${this.#left} are left`,
      );
    }
    if (length > this.#end - this.#start) this.#fill(length);
    this.#start += length;
    return this.#start - length;
  }

  #fill(length: number): void {
    const rest = this.#piece.subarray(this.#start, this.#end);
    if (length > this.#piece.length) {
      const larger = Buffer.alloc(length);
      larger.set(rest);
      this.#piece = larger;
    } else {
      this.#piece.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = rest.length;
    while (this.#end < length) {
      const room = this.#piece.subarray(this.#end);
      const read = this.#readAt(this.#position, room, room.length);
      if (read === 0)
        throw makeError("SIM_ERR_INTERNAL", "a file became shorter while it was read");
      this.#end += read;
      this.#position += read;
    }
  }

  #readAt(position: number, into: Buffer, length: number): number {
    this.#beforeAccess();
    return readSync(this.#descriptor, into, 0, length, position);
  }
}
