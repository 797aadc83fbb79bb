/**
 * Events on the wire, and frames in them.
 *
 *   : 2 KiB of blanks          for proxies that wait for more before they pass anything on
 *   retry: 1000
 *
 *   event: open                frames only: the session's token
 *   data: {"session":"…"}
 *
 *   id: 17                     a frame; on a stream of topics, the id has all that is needed to resume
 *   data: ["1","1","room:1","phx_reply",{…}]
 *
 *   :                          a heartbeat
 *
 *   event: close               the connection has ended; `replaced`: the session has another stream now
 *   data: {"code":1012,"reason":""}
 *
 * A frame is one line, in both directions:
 *
 *   =…      bytes, in base64
 *   "…"     text as a JSON string, if it would not be one line, or begins with = or "
 *   …       any other text, unchanged: all frames of Phoenix that are JSON
 *
 * Runs on: shard. Pure.
 */

/** Headers of a stream. `no-transform` also keeps proxies from compressing it, which would delay events. */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

const PADDING_BYTES = 2_048;
const PADDING = `:${" ".repeat(PADDING_BYTES)}\n`;
const BYTES = "=";
const QUOTE = '"';
const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;
/** With the flag u, the halves of a pair do not match. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const LINE_BREAK = /\r\n|\r|\n/g;

/** A comment, which clients ignore. */
export const HEARTBEAT = ":\n\n";

/** The event that tells a client that its session has another stream now. */
export const REPLACED = "event: replaced\ndata: {}\n\n";

/** Returns what a stream begins with. */
export function headOf(retryMs: number): string {
  return `${PADDING}retry: ${retryMs}\n\n`;
}

/** Returns the event with the token of a new session. */
export function openEvent(session: string, resumeMs: number, heartbeatMs: number): string {
  return `event: open\ndata: ${JSON.stringify({ session, resumeMs, heartbeatMs })}\n\n`;
}

/** Returns the event that tells the end of a connection. */
export function closeEvent(code: number, reason: string): string {
  return `event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`;
}

/** Returns an event with an id. @param data - may have several lines */
export function eventOf(id: string | number, data: string): string {
  const lines = data.includes("\n") || data.includes("\r") ? manyLines(data) : data;
  return `id: ${id}\ndata: ${lines}\n\n`;
}

/** Returns an event without data: clients only note its id. */
export function markOf(id: string): string {
  return `id: ${id}\n\n`;
}

function manyLines(data: string): string {
  return data.replaceAll(LINE_BREAK, "\ndata: ");
}

/** Encodes a frame as a line. */
export function lineOf(frame: string | Uint8Array): string {
  if (typeof frame !== "string") return BYTES + base64Of(frame);
  const isPlain =
    frame !== "" &&
    !frame.startsWith(BYTES) &&
    !frame.startsWith(QUOTE) &&
    !frame.includes("\n") &&
    !frame.includes("\r");
  return isPlain ? frame : JSON.stringify(frame);
}

/** Decodes a line. Returns undefined if it is not a frame. */
export function tryFrame(line: string): string | Uint8Array | undefined {
  if (line.startsWith(BYTES)) return tryBytes(line.slice(BYTES.length));
  return line.startsWith(QUOTE) ? tryText(line) : line;
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

function tryBytes(base64: string): Uint8Array | undefined {
  return BASE64.test(base64) ? Buffer.from(base64, "base64") : undefined;
}

function tryText(json: string): string | undefined {
  try {
    const text: unknown = JSON.parse(json);
    return typeof text === "string" && !LONE_SURROGATE.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}
