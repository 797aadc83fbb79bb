/**
 * Version 1 of the protocol: one JSON object (WIRE §1.2).
 *
 * Runs on: any thread. Pure functions.
 */

import { parsed, statusJson } from "./json-v2.ts";
import type { Message } from "./message.ts";
import { jsonOf, refJson, type BroadcastParts, type Serializer } from "./serializer.ts";

/** Version 1. It never sends join_ref, and does not mind what a payload is. */
export const jsonV1: Serializer = {
  vsn: "1.0.0",

  decode(frame) {
    const parts = parsed(frame);
    if (typeof parts !== "object" || parts === null || Array.isArray(parts)) return undefined;
    const { topic, event, payload, ref, join_ref: joinRef = null } = parts as V1Object;
    // A key that is there with null is fine; one that is missing is not.
    if (topic === undefined || event === undefined) return undefined;
    if (payload === undefined || ref === undefined) return undefined;
    if (typeof topic === "object" && topic !== null) return undefined;
    return { joinRef, ref, topic, event, payload } satisfies Message;
  },

  reply(_joinRef, ref, topic, status, response) {
    const body = `{"status":${statusJson(status)},"response":${jsonOf(response)}}`;
    return `{"topic":${topic},"event":"phx_reply","payload":${body},"ref":${refJson(ref)}}`;
  },

  push(_joinRef, topic, event, payload) {
    return `{"topic":${topic},"event":${JSON.stringify(event)},"payload":${jsonOf(payload)},"ref":null}`;
  },

  end(joinRef, topic, event, payload) {
    return `{"topic":${topic},"event":"${event}","payload":${jsonOf(payload)},"ref":${joinRef}}`;
  },
};

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

/** Cuts the frame of version 1 from the bytes of a broadcast of version 2. */
export function v1Broadcast(parts: BroadcastParts): Uint8Array {
  const { bytes, topicLength, eventLength, payloadLength } = parts;
  const fixed = TOPIC.length + EVENT.length + PAYLOAD.length + END.length;
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
  put(END, 0, END.length);
  return frame;
}
