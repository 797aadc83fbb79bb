/**
 * The frames of protocol version 2 that a server sends, taken apart without parsing their payloads.
 *
 *   text    [join_ref,ref,topic,event,payload], written without blanks
 *   bytes   kind, lengths, parts, payload: see `protocol/binary-v2`
 *
 * Runs on: shard. Pure.
 */

/** A message to a client. */
export interface SentMessage {
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly topic: string;
  /** The event; of a reply, phx_reply. */
  readonly event: string;
  /** The payload as JSON; of a reply, with its status. */
  readonly payload: string;
  /** Whether the payload is a JSON string that has bytes in base64. */
  readonly isBytes: boolean;
}

/** Number of parts of each kind of binary frame: push, reply, broadcast. */
const PART_COUNTS: readonly number[] = [3, 4, 2];
const [REPLY, BROADCAST] = [1, 2];
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Reads a frame. Returns undefined if it has another form, as those of a serializer of the app may. */
export function tryReadFrame(frame: string | Uint8Array): SentMessage | undefined {
  return typeof frame === "string" ? tryReadText(frame) : tryReadBytes(frame);
}

function tryReadText(frame: string): SentMessage | undefined {
  if (!frame.startsWith("[") || !frame.endsWith("]")) return undefined;
  const parts: (string | null)[] = [];
  let start = 1;
  for (let count = 0; count < 4; count += 1) {
    const end = endOfPart(frame, start);
    if (frame[end] !== ",") return undefined;
    parts.push(partOf(frame.slice(start, end)));
    start = end + 1;
  }
  const [joinRef = null, ref = null, topic, event] = parts;
  if (typeof topic !== "string" || typeof event !== "string") return undefined;
  return { joinRef, ref, topic, event, payload: frame.slice(start, -1), isBytes: false };
}

/** Returns the index after a string or another scalar. */
function endOfPart(frame: string, start: number): number {
  if (frame.charCodeAt(start) !== QUOTE) return frame.indexOf(",", start);
  let at = start + 1;
  while (at < frame.length && frame.charCodeAt(at) !== QUOTE) {
    at += frame.charCodeAt(at) === BACKSLASH ? 2 : 1;
  }
  return at + 1;
}

/** Returns a string; null for anything else. */
function partOf(json: string): string | null {
  if (!json.startsWith('"')) return null;
  return json.includes("\\") ? (JSON.parse(json) as string) : json.slice(1, -1);
}

function tryReadBytes(frame: Uint8Array): SentMessage | undefined {
  const view = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  const count = PART_COUNTS[view[0] ?? PART_COUNTS.length];
  if (count === undefined) return undefined;
  let at = 1 + count;
  const parts = [...view.subarray(1, at)].map((length) => {
    at += length;
    return view.toString("utf8", at - length, at);
  });
  const bytes = JSON.stringify(view.toString("base64", at));
  // All kinds end with topic and event; of a reply, the status comes last.
  const [event = "", topic = "", second = "", first = ""] = parts.toReversed();
  if (view[0] !== REPLY) {
    const joinRef = count === PART_COUNTS[BROADCAST] ? null : second;
    return { joinRef, ref: null, topic, event, payload: bytes, isBytes: true };
  }
  const payload = `{"status":${JSON.stringify(event)},"response":${bytes}}`;
  return { joinRef: first, ref: second, topic, event: "phx_reply", payload, isBytes: true };
}
