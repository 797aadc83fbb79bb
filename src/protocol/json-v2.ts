/**
 * Protocol version 2: each message is a JSON array `[join_ref, ref, topic, event, payload]`.
 *
 * A binary payload is sent in a binary frame (binary-v2).
 *
 * Runs on: any thread. Pure functions.
 */

import { makeError } from "../errors.ts";
import { binaryPush, binaryReply, bytesOf, decodeBinary } from "./binary-v2.ts";
import { jsonOf, objectJson } from "./json-text.ts";
import { canEcho, mayBeTopic, type Message } from "./message.ts";
import { payloadText } from "./payload-text.ts";
import { refJson, type Serializer } from "./serializer.ts";

/** Start of a broadcast up to its topic. It has no join_ref and no ref. */
export const BROADCAST_HEAD = "[null,null,";

/** The serializer of version 2. */
export const jsonV2: Serializer = {
  decode(frame) {
    const parts = tryParse(frame);
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

  payloadText: (frame, { hasMore }) => (hasMore === true ? undefined : payloadText(frame)),

  reply(joinRef, ref, topic, status, response) {
    const bytes = bytesOf(response);
    if (bytes) return binaryReply(joinRef, ref, topic, checkStatus(status), bytes);
    const body = `{"status":${statusJson(status)},"response":${jsonOf(response)}}`;
    return `[${joinRef},${refJson(ref)},${topic},"phx_reply",${body}]`;
  },

  push(joinRef, topic, event, payload) {
    const bytes = bytesOf(payload);
    if (bytes) return binaryPush(joinRef, topic, event, bytes);
    return `[${joinRef},null,${topic},${JSON.stringify(event)},${objectJson(payload)}]`;
  },

  end(joinRef, topic, event, payload) {
    return `[${joinRef},${joinRef},${topic},"${event}",${jsonOf(payload)}]`;
  },
};

/**
 * Parses a frame. Returns undefined if it is not JSON or contains a lone surrogate, which
 * JSON.parse accepts but Phoenix does not.
 */
export function tryParse(frame: string): unknown {
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
