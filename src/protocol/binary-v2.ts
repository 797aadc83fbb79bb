/**
 * Binary frames of protocol version 2, for payloads that are bytes.
 *
 *   from a client   0 | J | R | T | E | join_ref | ref | topic | event  | payload …
 *   push            0 | J | T | E     | join_ref       | topic | event  | payload …
 *   reply           1 | J | R | T | S | join_ref | ref | topic | status | payload …
 *   broadcast       2 | T | E         |                  topic | event  | payload …
 *
 * The kind and each length occupy one byte. Lengths are in UTF-8 bytes; the payload is the rest of
 * the frame. A null ref is encoded as an empty string, and an empty string is decoded as "".
 *
 * Runs on: any thread. Pure functions.
 */

import { isUtf8 } from "node:buffer";

import { makeError } from "../errors.ts";
import { textOfList, type Message, type Ref } from "./message.ts";

/** First byte of a binary frame. */
export const FRAME_KIND = { push: 0, reply: 1, broadcast: 2 } as const;

/** Size of a broadcast's header before the topic (bytes). */
export const BROADCAST_LENGTHS_BYTES = 3;

const CLIENT_LENGTHS_BYTES = 5;
const MAX_PART_BYTES = 255;

/** Returns a binary payload without copying it; undefined if the payload is sent as JSON. */
export function bytesOf(payload: unknown): Uint8Array | undefined {
  if (payload instanceof Uint8Array) return payload;
  return payload instanceof ArrayBuffer ? new Uint8Array(payload) : undefined;
}

/** Decodes a client's frame; returns undefined if it is malformed. The payload is a copy. */
export function decodeBinary(frame: Uint8Array): Message | undefined {
  if (frame.length < CLIENT_LENGTHS_BYTES || frame[0] !== FRAME_KIND.push) return undefined;
  const refOffset = CLIENT_LENGTHS_BYTES + (frame[1] as number);
  const topicOffset = refOffset + (frame[2] as number);
  const eventOffset = topicOffset + (frame[3] as number);
  const payloadOffset = eventOffset + (frame[4] as number);
  if (payloadOffset > frame.length) return undefined;
  const joinRef = textOf(frame, CLIENT_LENGTHS_BYTES, refOffset);
  const ref = textOf(frame, refOffset, topicOffset);
  const topic = textOf(frame, topicOffset, eventOffset);
  // These parts are echoed to the client, and invalid UTF-8 would not be echoed unchanged.
  if (joinRef === undefined || ref === undefined || topic === undefined) return undefined;
  // An event is not echoed. If it is invalid UTF-8, it does not match any handler.
  const event = viewOf(frame, eventOffset, payloadOffset).toString("utf8");
  const payload = new Uint8Array(frame.subarray(payloadOffset));
  return { joinRef, ref, topic, event, payload };
}

/**
 * Encodes a message without a ref.
 *
 * @param joinRef - JSON text, like the topic
 * @throws SIM_ERR_PAYLOAD if a part has more than 255 bytes
 */
export function binaryPush(
  joinRef: string,
  topic: string,
  event: string,
  payload: Uint8Array,
): Uint8Array {
  return frameOf(FRAME_KIND.push, payload, [
    partOf("join_ref", textOfRef(JSON.parse(joinRef))),
    partOf("topic", textOfJson(topic)),
    partOf("event", event),
  ]);
}

/** Encodes a reply. Parameters and errors are those of `binaryPush`. */
export function binaryReply(
  joinRef: string,
  ref: Ref,
  topic: string,
  status: string,
  payload: Uint8Array,
): Uint8Array {
  return frameOf(FRAME_KIND.reply, payload, [
    partOf("join_ref", textOfRef(JSON.parse(joinRef))),
    partOf("ref", textOfRef(ref)),
    partOf("topic", textOfJson(topic)),
    partOf("status", status),
  ]);
}

/** Encodes a part of a frame's header. @throws SIM_ERR_PAYLOAD if it has more than 255 bytes */
export function partOf(name: string, text: string): Buffer {
  const part = Buffer.from(text);
  if (part.length <= MAX_PART_BYTES) return part;
  const message = `${name} must have at most ${MAX_PART_BYTES} (bytes) if the payload is bytes, got ${part.length}`;
  throw makeError("SIM_ERR_PAYLOAD", message);
}

/** Decodes a JSON string literal. */
export function textOfJson(json: string): string {
  return json.includes("\\") ? (JSON.parse(json) as string) : json.slice(1, -1);
}

// Equivalent to Elixir's to_string. A ref can be any JSON value, but a binary header can only
// contain text.
function textOfRef(ref: Ref): string {
  if (typeof ref === "string") return ref;
  if (ref === null || ref === undefined) return "";
  if (typeof ref === "number" || typeof ref === "boolean") return String(ref);
  const text = textOfList(ref);
  if (text !== undefined) return text;
  throw makeError("SIM_ERR_PAYLOAD", "refs must not be objects if the payload is bytes");
}

function frameOf(kind: number, payload: Uint8Array, parts: readonly Buffer[]): Uint8Array {
  let offset = 1 + parts.length;
  for (const part of parts) offset += part.length;
  const frame = new Uint8Array(offset + payload.length);
  frame[0] = kind;
  frame.set(payload, offset);
  offset = 1 + parts.length;
  for (const [at, part] of parts.entries()) {
    frame[1 + at] = part.length;
    frame.set(part, offset);
    offset += part.length;
  }
  return frame;
}

function textOf(frame: Uint8Array, start: number, end: number): string | undefined {
  const bytes = viewOf(frame, start, end);
  const text = bytes.toString("utf8");
  return text.includes("\ufffd") && !isUtf8(bytes) ? undefined : text;
}

function viewOf(frame: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(frame.buffer, frame.byteOffset + start, end - start);
}
