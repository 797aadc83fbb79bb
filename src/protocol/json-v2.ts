/**
 * Protocol version 2: each message is a JSON array `[join_ref, ref, topic, event, payload]`.
 *
 * A binary payload is sent in a binary frame (binary-v2).
 *
 * Runs on: any thread. Pure functions.
 */

import { makeError } from "../errors.ts";
import { binaryPush, binaryReply, bytesOf, decodeBinary } from "./binary-v2.ts";
import { isTooDeep } from "./json-depth.ts";
import { jsonOf, objectJson } from "./json-text.ts";
import { canEcho, mayBeTopic, type Message } from "./message.ts";
import { HEAD_PARTS, payloadOffset, payloadText } from "./payload-text.ts";
import { refJson, type Serializer } from "./serializer.ts";

/** Start of a broadcast up to its topic. It has no join_ref and no ref. */
export const BROADCAST_HEAD = "[null,null,";

/** The serializer of version 2. */
export const jsonV2: Serializer = {
  decode(frame, maxDepth) {
    const parts = tryParse(frame, maxDepth);
    // Additional elements are ignored, as in Phoenix.
    if (!Array.isArray(parts) || parts.length < 5) return undefined;
    const joinRef: unknown = parts[0];
    const ref: unknown = parts[1];
    const topic: unknown = parts[2];
    const event: unknown = parts[3];
    if (!canEcho(joinRef) || !canEcho(ref) || !mayBeTopic(topic, event)) return undefined;
    const message = { joinRef, ref, topic, event, payload: parts[4] } satisfies Message;
    return parts.length === 5 ? message : { ...message, hasMore: true };
  },

  decodeBytes: decodeBinary,

  decodeHead(frame) {
    const end = payloadOffset(frame);
    if (end < 0) return undefined;
    const parts = tryParse(`${frame.slice(0, end - 1)}]`);
    // Anything else is malformed, which the whole frame's decoder finds out too.
    if (!Array.isArray(parts) || parts.length !== HEAD_PARTS) return undefined;
    const [joinRef, ref, topic, event] = parts as readonly unknown[];
    if (!canEcho(joinRef) || !canEcho(ref)) return undefined;
    return { joinRef, ref, topic, event, payload: undefined } satisfies Message;
  },

  payloadText: (frame, { hasMore }) => (hasMore === true ? undefined : payloadText(frame)),

  reply(joinRef, ref, topic, status, response) {
    const bytes = bytesOf(response);
    if (bytes) return binaryReply(joinRef, ref, topic, checkStatus(status), bytes);
    const body = `{"status":${statusJson(status)},"response":${jsonOf(response)}}`;
    return `[${joinRef},${refJson(ref)},${topic},"phx_reply",${body}]`;
  },

  push(joinRef, topic, event, payload, ref = null) {
    const bytes = bytesOf(payload);
    if (bytes) return binaryPush(joinRef, topic, event, bytes);
    const refText = ref === null ? "null" : `"${ref}"`;
    return `[${joinRef},${refText},${topic},${JSON.stringify(event)},${objectJson(payload)}]`;
  },

  end(joinRef, topic, event, payload) {
    return `[${joinRef},${joinRef},${topic},"${event}",${jsonOf(payload)}]`;
  },
};

/** Assembles a text frame with a ref from an encoded broadcast. @param ref - decimal digits */
export function broadcastWithRef(frame: Uint8Array, ref: string): Uint8Array {
  const head = `[null,"${ref}",`;
  const withRef = new Uint8Array(frame.length - BROADCAST_HEAD.length + head.length);
  for (let at = 0; at < head.length; at += 1) withRef[at] = head.charCodeAt(at);
  withRef.set(frame.subarray(BROADCAST_HEAD.length), head.length);
  return withRef;
}

/**
 * Parses a frame. Returns undefined if it is not JSON, is nested too deeply, or contains a lone
 * surrogate, which JSON.parse accepts but Phoenix does not.
 */
export function tryParse(frame: string, maxDepth = Infinity): unknown {
  if (isTooDeep(frame, maxDepth)) return undefined;
  try {
    const value: unknown = JSON.parse(frame);
    return frame.includes("\\u") && hasLoneSurrogate(frame) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** Checks the escape sequences in a JSON text. All other characters are already valid UTF-8. */
function hasLoneSurrogate(json: string): boolean {
  let at = json.indexOf("\\");
  while (at >= 0) {
    const kind = surrogateAt(json, at);
    if (kind === "low") return true;
    // A surrogate pair consists of two escape sequences of six units each.
    if (kind === "high" && surrogateAt(json, at + 6) !== "low") return true;
    at = json.indexOf("\\", at + (kind === "high" ? 12 : 2));
  }
  return false;
}

function surrogateAt(json: string, at: number): "high" | "low" | undefined {
  if (!json.startsWith("\\u", at)) return undefined;
  const unit = Number.parseInt(json.slice(at + 2, at + 6), 16);
  if (unit < 0xd800 || unit > 0xdfff) return undefined;
  return unit < 0xdc00 ? "high" : "low";
}

/** Writes a status as JSON. @throws SIM_ERR_PAYLOAD if it is not a string */
export function statusJson(status: string): string {
  if (status === "ok") return '"ok"';
  if (status === "error") return '"error"';
  return JSON.stringify(checkStatus(status));
}

function checkStatus(status: string): string {
  if (typeof status === "string") return status;
  throw makeError("SIM_ERR_PAYLOAD", `status must be a string, got ${typeof status}`);
}
