/**
 * The messages of a client that wait for a later turn, in one buffer.
 *
 *   0                    #start                                    #end
 *   +--------------------+------+--------+---------+------+--------+-------
 *   | taken              | kind | length | bytes … | kind | length | …       kind: 1 byte, length: 4
 *   +--------------------+------+--------+---------+------+--------+-------
 *
 * Runs on: shard. Created when a message of a client has to wait.
 * Full: 256 KiB, unless a single message is larger.
 */

const MAX_BYTES = 262_144;
const FIRST_BYTES = 16_384;
const HEADER_BYTES = 5;
const KINDS = ["text", "bytes", "ping", "pong"] as const;

/** A message that waits. */
export interface WaitingMessage {
  readonly kind: (typeof KINDS)[number];
  /** Its bytes, valid until the next call. */
  readonly bytes: Uint8Array;
}

/** The waiting messages of a client, in order. */
export class WaitingMessages {
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  get isEmpty(): boolean {
    return this.#start === this.#end;
  }

  /** Memory that they take (bytes). */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /** Adds a copy of a message. @returns false if there is no room */
  tryAdd(kind: WaitingMessage["kind"], bytes: Uint8Array): boolean {
    const length = HEADER_BYTES + bytes.length;
    const usedBytes = this.#end - this.#start + length;
    if (usedBytes > MAX_BYTES && !this.isEmpty) return false;
    if (this.#end + length > this.#buffer.length) this.#makeRoom(usedBytes);
    this.#buffer[this.#end] = KINDS.indexOf(kind);
    this.#buffer.writeUInt32LE(bytes.length, this.#end + 1);
    this.#buffer.set(bytes, this.#end + HEADER_BYTES);
    this.#end += length;
    return true;
  }

  /** Takes the first message, if there is one. */
  take(): WaitingMessage | undefined {
    if (this.isEmpty) return undefined;
    const kind = KINDS[this.#buffer[this.#start] as number] ?? "bytes";
    const from = this.#start + HEADER_BYTES;
    this.#start = from + this.#buffer.readUInt32LE(this.#start + 1);
    return { kind, bytes: this.#buffer.subarray(from, this.#start) };
  }

  /** Moves what waits to the beginning of a buffer with room for so many bytes. */
  #makeRoom(bytes: number): void {
    const length = Math.max(bytes, Math.min(MAX_BYTES, this.#buffer.length * 2), FIRST_BYTES);
    const buffer = Buffer.allocUnsafeSlow(length);
    this.#buffer.copy(buffer, 0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    this.#buffer = buffer;
  }
}
