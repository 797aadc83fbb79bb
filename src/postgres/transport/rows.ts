/**
 * Messages as rows and as frames of version 2 of the protocol.
 *
 * A payload stays JSON text, so that large numbers keep their digits. The character U+0000 and halves of surrogate pairs,
 * which `text` and `jsonb` of PostgreSQL cannot hold, become U+FFFD.
 *
 * Runs on: shard. Pure functions.
 */

import { jsonV2 } from "../../raw.ts";

/** A message, as in a row of the inbox or the outbox. */
export interface RowMessage {
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  /** JSON text; null if the payload is bytes. In a reply of bytes, this is the status. */
  readonly payload: string | null;
  readonly bytes: Uint8Array | null;
}

/** First byte of a binary frame. */
const KIND = { push: 0, reply: 1, broadcast: 2 } as const;
const MAX_PART_BYTES = 255;

/** Returns the frame of a client; undefined if a part is too long for a binary frame. */
export function frameOf(message: RowMessage): string | Uint8Array | undefined {
  const { joinRef, ref, topic, event, payload, bytes } = message;
  if (bytes) return binaryFrame([joinRef ?? "", ref ?? "", topic, event], bytes);
  const head = [joinRef, ref, topic, event].map((part) => JSON.stringify(part)).join(",");
  return `[${head},${payload ?? "{}"}]`;
}

function binaryFrame(parts: readonly string[], payload: Uint8Array): Uint8Array | undefined {
  const encoded = parts.map((part) => Buffer.from(part));
  if (encoded.some((part) => part.length > MAX_PART_BYTES)) return undefined;
  return Buffer.concat([
    Buffer.of(KIND.push, ...encoded.map((part) => part.length)),
    ...encoded,
    payload,
  ]);
}

/** Returns the message in a frame of the server; undefined if the frame is not of version 2. */
export function messageOf(frame: string | Uint8Array): RowMessage | undefined {
  return typeof frame === "string" ? ofText(frame) : ofBytes(frame);
}

function ofText(frame: string): RowMessage | undefined {
  const head = jsonV2.decodeHead?.(frame);
  if (!head) return undefined;
  const { joinRef, ref, topic, event } = head;
  return {
    joinRef: refOf(joinRef),
    ref: refOf(ref),
    topic: storable(String(topic)),
    event: storable(String(event)),
    payload: storableJson(jsonV2.payloadText?.(frame, head) ?? rewritten(frame)),
    bytes: null,
  };
}

/** Returns the payload of a frame whose text is nested too deeply to be passed on as it is. */
function rewritten(frame: string): string {
  return JSON.stringify((JSON.parse(frame) as readonly unknown[])[4]);
}

function refOf(ref: unknown): string | null {
  if (ref === null || ref === undefined) return null;
  return storable(typeof ref === "string" ? ref : JSON.stringify(ref));
}

function ofBytes(frame: Uint8Array): RowMessage | undefined {
  const [kind] = frame;
  if (kind === KIND.push) {
    const [joinRef, topic, event, bytes] = divided(frame, 3);
    return { ...NO_REFS, joinRef: joinRef || null, topic, event, bytes };
  }
  if (kind === KIND.reply) {
    const [joinRef, ref, topic, status, bytes] = divided(frame, 4);
    const payload = JSON.stringify({ status });
    return {
      joinRef: joinRef || null,
      ref: ref || null,
      topic,
      event: "phx_reply",
      payload,
      bytes,
    };
  }
  if (kind !== KIND.broadcast) return undefined;
  const [topic, event, bytes] = divided(frame, 2);
  return { ...NO_REFS, topic, event, bytes };
}

const NO_REFS = { joinRef: null, ref: null, payload: null } as const;

interface Divided {
  2: [string, string, Uint8Array];
  3: [string, string, string, Uint8Array];
  4: [string, string, string, string, Uint8Array];
}

/** Returns the texts of a header, and the bytes after it. */
function divided<Count extends keyof Divided>(frame: Uint8Array, count: Count): Divided[Count] {
  const buffer = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  const parts: unknown[] = [];
  let at = 1 + count;
  for (let part = 0; part < count; part += 1) {
    const end = at + (buffer[1 + part] ?? 0);
    parts.push(storable(buffer.toString("utf8", at, end)));
    at = end;
  }
  parts.push(buffer.subarray(at));
  return parts as Divided[Count];
}

/** Escapes: a surrogate pair, any other unit, or a single character. */
const ESCAPE =
  /\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u([0-9a-fA-F]{4})|\\[^u]/g;
/** Matches payloads that may be unstorable. Others are not searched for escapes. */
const SUSPECT = /\\u(?:0000|[dD][89a-fA-F])/;
const UNSTORABLE_UNIT = /^(?:0000|[dD][89a-fA-F]..)$/;

/** Returns a JSON text that `jsonb` can hold. */
export function storableJson(json: string): string {
  if (!SUSPECT.test(json)) return json;
  return json.replaceAll(ESCAPE, (escape, unit: string | undefined) =>
    unit !== undefined && UNSTORABLE_UNIT.test(unit) ? "\ufffd" : escape,
  );
}

function storable(text: string): string {
  // Halves of surrogate pairs are replaced when a string is encoded as UTF-8.
  const encoded = /[\ud800-\udfff]/.test(text) ? Buffer.from(text).toString("utf8") : text;
  return encoded.includes("\u0000") ? encoded.replaceAll("\u0000", "\ufffd") : encoded;
}
