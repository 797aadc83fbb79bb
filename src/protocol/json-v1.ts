/**
 * Protocol version 1: each message is a JSON object.
 *
 * Runs on: any thread. Pure functions.
 */

import { isUtf8 } from "node:buffer";

import { makeError } from "../errors.ts";
import { bytesOf } from "./binary-v2.ts";
import { jsonOf } from "./json-text.ts";
import { statusJson, tryParse } from "./json-v2.ts";
import { canEcho, mayBeTopic, type Message } from "./message.ts";
import { refJson, type BroadcastParts, type Serializer } from "./serializer.ts";

/** The serializer of version 1. It never sends a join_ref and accepts any payload. */
export const jsonV1: Serializer = {
  decode(frame, maxDepth) {
    const parts = tryParse(frame, maxDepth);
    if (typeof parts !== "object" || parts === null || Array.isArray(parts)) return undefined;
    const { topic, event, payload, ref, join_ref: joinRef = null } = parts as V1Object;
    // A key may be null but must be present.
    if (topic === undefined || event === undefined) return undefined;
    if (payload === undefined || ref === undefined) return undefined;
    if (!canEcho(joinRef) || !canEcho(ref) || !mayBeTopic(topic, event)) return undefined;
    return { joinRef, ref, topic, event, payload } satisfies Message;
  },

  // Version 1 also accepts JSON in binary frames, whose UTF-8 must be validated here. The engine
  // validates text frames only.
  decodeBytes(frame, maxDepth) {
    if (!isUtf8(frame)) return undefined;
    const text = Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString();
    return jsonV1.decode(text, maxDepth);
  },

  reply(_joinRef, ref, topic, status, response) {
    const body = `{"status":${statusJson(status)},"response":${textualJson(response)}}`;
    return `{"topic":${topic},"event":"phx_reply","payload":${body},"ref":${refJson(ref)}}`;
  },

  push(_joinRef, topic, event, payload, ref = null) {
    const refText = ref === null ? "null" : `"${ref}"`;
    return `{"topic":${topic},"event":${JSON.stringify(event)},"payload":${textualJson(payload)},"ref":${refText}}`;
  },

  end(joinRef, topic, event, payload) {
    return `{"topic":${topic},"event":"${event}","payload":${jsonOf(payload)},"ref":${joinRef}}`;
  },
};

/** Writes a payload as JSON. @throws SIM_ERR_PAYLOAD if it is bytes or cannot be written as JSON */
function textualJson(payload: unknown): string {
  if (!bytesOf(payload)) return jsonOf(payload);
  const message = "payload must be a JSON value for a client on protocol version 1, got bytes";
  throw makeError("SIM_ERR_PAYLOAD", message);
}

interface V1Object {
  readonly topic?: unknown;
  readonly event?: unknown;
  readonly payload?: unknown;
  readonly ref?: unknown;
  readonly join_ref?: unknown;
}

const TOPIC = Buffer.from('{"topic":"');
const EVENT = Buffer.from('","event":"');
const PAYLOAD = Buffer.from('","payload":');
const END = Buffer.from(',"ref":null}');

/**
 * Assembles a version 1 frame from the parts of a version 2 broadcast.
 *
 * @param ref - offset of a kept broadcast; decimal digits
 */
export function v1Broadcast(parts: BroadcastParts, ref?: string): Uint8Array {
  const { bytes, topicLength, eventLength, payloadLength } = parts;
  const end = ref === undefined ? END : Buffer.from(`,"ref":"${ref}"}`);
  const fixed = TOPIC.length + EVENT.length + PAYLOAD.length + end.length;
  const frame = new Uint8Array(fixed + topicLength + eventLength + payloadLength);
  let at = 0;
  const put = (source: Uint8Array, from: number, length: number): void => {
    frame.set(source.subarray(from, from + length), at);
    at += length;
  };
  put(TOPIC, 0, TOPIC.length);
  put(bytes, parts.topicOffset, topicLength);
  put(EVENT, 0, EVENT.length);
  put(bytes, parts.eventOffset, eventLength);
  put(PAYLOAD, 0, PAYLOAD.length);
  put(bytes, parts.payloadOffset, payloadLength);
  put(end, 0, end.length);
  return frame;
}
