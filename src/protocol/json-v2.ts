/**
 * Version 2 of the protocol in JSON: `[join_ref, ref, topic, event, payload]` (WIRE §1.3).
 *
 * Runs on: any thread. Pure functions.
 */

import { makeError } from "../errors.ts";
import type { Message } from "./message.ts";
import { jsonOf, objectJson, refJson, type Serializer } from "./serializer.ts";

/** What stands before the topic in a broadcast: no join_ref, no ref. */
export const BROADCAST_HEAD = "[null,null,";

/** Version 2, text frames. */
export const jsonV2: Serializer = {
  vsn: "2.0.0",

  decode(frame) {
    const parts = parsed(frame);
    // More than five elements are let pass, as Phoenix does.
    if (!Array.isArray(parts) || parts.length < 5) return undefined;
    const topic: unknown = parts[2];
    if (typeof topic === "object" && topic !== null) return undefined;
    return {
      joinRef: parts[0],
      ref: parts[1],
      topic,
      event: parts[3],
      payload: parts[4],
    } satisfies Message;
  },

  reply(joinRef, ref, topic, status, response) {
    const body = `{"status":${statusJson(status)},"response":${jsonOf(response)}}`;
    return `[${joinRef},${refJson(ref)},${topic},"phx_reply",${body}]`;
  },

  push(joinRef, topic, event, payload) {
    return `[${joinRef},null,${topic},${JSON.stringify(event)},${objectJson(payload)}]`;
  },

  end(joinRef, topic, event, payload) {
    return `[${joinRef},${joinRef},${topic},"${event}",${jsonOf(payload)}]`;
  },
};

/** Parses a frame; undefined where it is no JSON. */
export function parsed(frame: string): unknown {
  try {
    return JSON.parse(frame);
  } catch {
    return undefined;
  }
}

/** Writes a status as JSON. @throws SIM_ERR_PAYLOAD where it is no string, whatever its type said */
export function statusJson(status: string): string {
  if (status === "ok") return '"ok"';
  if (status === "error") return '"error"';
  if (typeof status === "string") return JSON.stringify(status);
  throw makeError("SIM_ERR_PAYLOAD", `status must be a string, got ${typeof status}`);
}
