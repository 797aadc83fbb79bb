/**
 * Version 2 frames on the client's side: writes client messages and reads server messages.
 *
 * Runs on: the thread of a test. Pure.
 */

import { bytesOf, FRAME_KIND } from "../protocol/binary-v2.ts";
import { EVENT } from "../protocol/reserved.ts";

/** A message from the server. */
export interface ServerMessage {
  readonly joinRef: string | null;
  readonly ref: unknown;
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
}

/** Writes a client's message: a binary frame if the payload is bytes, otherwise text. */
export function clientFrame(
  joinRef: string | null,
  ref: string,
  topic: string,
  event: string,
  payload: unknown,
): string | Uint8Array {
  const bytes = bytesOf(payload);
  if (!bytes) return JSON.stringify([joinRef, ref, topic, event, payload]);
  const parts = [joinRef ?? "", ref, topic, event].map((text) => Buffer.from(text));
  const head = Uint8Array.of(FRAME_KIND.push, ...parts.map(({ length }) => length));
  return Buffer.concat([head, ...parts, bytes]);
}

/** Decodes a frame from the server. */
export function readFrame(frame: string | Uint8Array): ServerMessage {
  if (typeof frame !== "string") return readBinary(Buffer.from(frame));
  const [joinRef, ref, topic, event, payload] = JSON.parse(frame) as [
    string | null,
    unknown,
    string,
    string,
    unknown,
  ];
  return { joinRef, ref, topic, event, payload };
}

function readBinary(frame: Buffer): ServerMessage {
  if (frame[0] === FRAME_KIND.reply) {
    const [texts, payload] = cut(frame, 4);
    const [joinRef = "", ref = "", topic = "", status = ""] = texts;
    const answer = { status, response: payload };
    return { joinRef, ref, topic, event: EVENT.reply, payload: answer };
  }
  if (frame[0] === FRAME_KIND.push) {
    const [[joinRef = "", topic = "", event = ""], payload] = cut(frame, 3);
    return { joinRef, ref: null, topic, event, payload };
  }
  const [[topic = "", event = ""], payload] = cut(frame, 2);
  return { joinRef: null, ref: null, topic, event, payload };
}

function cut(frame: Buffer, count: number): [texts: readonly string[], payload: Uint8Array] {
  let at = 1 + count;
  const texts = [...frame.subarray(1, at)].map((length) => {
    at += length;
    return frame.toString("utf8", at - length, at);
  });
  return [texts, new Uint8Array(frame.subarray(at))];
}
