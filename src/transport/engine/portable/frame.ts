/**
 * Frames of WebSocket messages that a server sends (RFC 6455 §5.2, RFC 7692 §7.2.1).
 *
 * A frame is made once, also if it is sent to thousands of clients. Each compressed message is compressed alone, so all
 * clients with compression get the same frame, and none needs a window of its own.
 *
 * Runs on: shard. Pure.
 */

import { constants, deflateRawSync } from "node:zlib";

import type { EngineText } from "../app-port.ts";

/** Opcodes of frames. */
export const OPCODE = { text: 1, binary: 2, ping: 9, pong: 10 } as const;
export type Opcode = (typeof OPCODE)[keyof typeof OPCODE];

const FINAL_BIT = 0x80;
const COMPRESSED_BIT = 0x40;
/** Longest payload whose length is in the second byte of the frame. */
const MAX_SHORT_BYTES = 125;
const LENGTH_OF_16_BITS = 126;
const LENGTH_OF_64_BITS = 127;
const MAX_16_BITS = 0xffff;
const TWO_TO_32 = 2 ** 32;

const DEFLATE = {
  finishFlush: constants.Z_SYNC_FLUSH,
  level: constants.Z_BEST_SPEED,
};
/** What a compressed message ends with on the wire of deflate, and does not on that of WebSocket. */
const TAIL_BYTES = 4;

/** Returns a frame that contains a copy of a message. */
export function frameOf(opcode: Opcode, message: EngineText): Buffer {
  if (typeof message !== "string") return frameOfBytes(FINAL_BIT | opcode, bytesOf(message));
  const length = Buffer.byteLength(message);
  const frame = frameFor(FINAL_BIT | opcode, length);
  frame.write(message, frame.length - length, length, "utf8");
  return frame;
}

/** Returns a frame that contains a message, compressed. */
export function compressedFrameOf(opcode: Opcode, message: EngineText): Buffer {
  // A copy, because the compressor does not take shared memory.
  const bytes = typeof message === "string" ? message : Buffer.from(bytesOf(message));
  const deflated = deflateRawSync(bytes, DEFLATE);
  const payload = deflated.subarray(0, deflated.length - TAIL_BYTES);
  return frameOfBytes(FINAL_BIT | COMPRESSED_BIT | opcode, payload);
}

/** Returns a view on the bytes of a message. */
export function bytesOf(message: Exclude<EngineText, string>): Uint8Array {
  return message instanceof Uint8Array ? message : new Uint8Array(message);
}

function frameOfBytes(firstByte: number, payload: Uint8Array): Buffer {
  const frame = frameFor(firstByte, payload.length);
  frame.set(payload, frame.length - payload.length);
  return frame;
}

/** Returns a frame without its payload, which is at its end. */
function frameFor(firstByte: number, length: number): Buffer {
  if (length <= MAX_SHORT_BYTES) {
    const frame = Buffer.allocUnsafe(length + 2);
    frame[0] = firstByte;
    frame[1] = length;
    return frame;
  }
  if (length <= MAX_16_BITS) {
    const frame = Buffer.allocUnsafe(length + 4);
    frame[0] = firstByte;
    frame[1] = LENGTH_OF_16_BITS;
    frame.writeUInt16BE(length, 2);
    return frame;
  }
  const frame = Buffer.allocUnsafe(length + 10);
  frame[0] = firstByte;
  frame[1] = LENGTH_OF_64_BITS;
  frame.writeUInt32BE(Math.floor(length / TWO_TO_32), 2);
  frame.writeUInt32BE(length % TWO_TO_32, 6);
  return frame;
}
