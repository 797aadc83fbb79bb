/**
 * WebSocket frames as bytes: those of a client are written into a buffer, those of a server are
 * read from a stream.
 *
 * Unlike a WebSocket library, it also writes frames that break the protocol.
 *
 * Runs on: any thread.
 */

/** Opcodes (RFC 6455 §5.2). */
export const OPCODE = { rest: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A client's frame. By default, it is the only frame of a text message, and masked. */
export interface ClientFrame {
  readonly payload: Buffer;
  readonly opcode?: number;
  readonly isLast?: boolean;
  readonly reserved?: number;
  /** Null for a frame without a mask, which is a violation. */
  readonly mask?: number | null;
  /** The length in the header, if it is not that of the payload. */
  readonly claimedLength?: bigint;
}

const MASK_BYTES = 4;
const SHORT_LENGTH = 126;
const LONG_LENGTH = 127;
const MAX_16_BITS = 65_535;
const MAX_HEADER_BYTES = 14;

/** Returns a frame as bytes. */
export function encodeFrame(frame: ClientFrame): Buffer {
  const { payload, opcode = OPCODE.text, isLast = true, reserved = 0, mask = 0 } = frame;
  const claimed = frame.claimedLength ?? BigInt(payload.length);
  const bytes = Buffer.allocUnsafe(MAX_HEADER_BYTES + payload.length);
  bytes[0] = (isLast ? 0x80 : 0) | (reserved << 4) | opcode;
  let at = writeLength(bytes, claimed, mask === null ? 0 : 0x80);
  if (mask !== null) {
    bytes.writeUInt32BE(mask >>> 0, at);
    at += MASK_BYTES;
  }
  payload.copy(bytes, at);
  if (mask !== null && mask !== 0) applyMask(bytes, at, payload.length);
  return bytes.subarray(0, at + payload.length);
}

/** Writes the length and the bit of the mask. @returns the offset behind them */
function writeLength(bytes: Buffer, length: bigint, maskBit: number): number {
  if (length < SHORT_LENGTH) {
    bytes[1] = maskBit | Number(length);
    return 2;
  }
  if (length <= MAX_16_BITS) {
    bytes[1] = maskBit | SHORT_LENGTH;
    bytes.writeUInt16BE(Number(length), 2);
    return 4;
  }
  bytes[1] = maskBit | LONG_LENGTH;
  bytes.writeBigUInt64BE(BigInt.asUintN(64, length), 2);
  return 10;
}

function applyMask(bytes: Buffer, start: number, length: number): void {
  for (let at = 0; at < length; at++) {
    bytes[start + at] = (bytes[start + at] as number) ^ (bytes[start - 4 + (at & 3)] as number);
  }
}

/** Returns a text frame, masked with zeros: its payload is readable in the bytes. */
export function textFrame(text: string): Buffer {
  return encodeFrame({ payload: Buffer.from(text) });
}

/** Called with each frame of the server. The payload is valid during the call only. */
export type OnServerFrame = (opcode: number, payload: Buffer) => void;

/** Reads a server's frames from chunks of bytes. */
export class FrameReader {
  readonly #onFrame: OnServerFrame;
  #rest: Buffer = Buffer.alloc(0);
  /** Why the bytes are not frames, if they are not. */
  fault: string | undefined = undefined;

  constructor(onFrame: OnServerFrame) {
    this.#onFrame = onFrame;
  }

  read(chunk: Buffer): void {
    if (this.fault !== undefined) return;
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      const length = this.#readOne(bytes, at);
      if (length === 0) break;
      at += length;
    }
    this.#rest = bytes.subarray(at);
  }

  /** Reads the frame at an offset. @returns its length in bytes, or 0 if it is not complete */
  #readOne(bytes: Buffer, at: number): number {
    const left = bytes.length - at;
    if (left < 2) return 0;
    const [first, second] = [bytes[at] as number, bytes[at + 1] as number];
    if (second >= 0x80 || (first & 0x30) !== 0) {
      this.fault = `a frame of the server begins with ${bytes.toString("hex", at, at + 2)}`;
      return 0;
    }
    let [start, length] = [2, second];
    if (second === SHORT_LENGTH) {
      if (left < 4) return 0;
      [start, length] = [4, bytes.readUInt16BE(at + 2)];
    } else if (second === LONG_LENGTH) {
      if (left < 10) return 0;
      [start, length] = [10, Number(bytes.readBigUInt64BE(at + 2))];
    }
    if (left < start + length) return 0;
    this.#onFrame(first & 15, bytes.subarray(at + start, at + start + length));
    return start + length;
  }
}

/** Returns the request that opens a WebSocket. */
export function upgradeRequest(path: string, extraLines = ""): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${extraLines}\r\n`
  );
}
