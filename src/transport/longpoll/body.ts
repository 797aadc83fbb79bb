/**
 * The frames in the body of a POST: lines of text and base64, or a single text.
 *
 * Runs on: shard. Pure.
 * Full: a body of more than 8 MB is refused, as in Phoenix. Only the first 100 lines are read; the
 *       official client never sends more.
 */

import { isUtf8 } from "node:buffer";

/** Maximum length of a body. */
export const MAX_BODY_BYTES = 8_000_000;
/** Maximum number of lines; further lines are ignored. */
export const MAX_LINES = 100;

const NDJSON = "application/x-ndjson";
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const OPENING_BRACKET = 0x5b;
const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;

/** A text frame whose bytes are not valid UTF-8. */
export const NO_TEXT = Symbol("no text");

/** A client's frame: text, the bytes of a binary frame, or undefined if a line is neither. */
export type BodyFrame = string | Uint8Array | typeof NO_TEXT | undefined;

/** Reports whether a content type is that of a body with lines. Parameters are ignored. */
export function isNdjson(contentType: string | undefined): boolean {
  const [type = ""] = (contentType ?? "").split(";", 1);
  return type.trim().toLowerCase() === NDJSON;
}

/**
 * Reads the frames of a body lazily, line by line.
 *
 * @yields each frame
 */
export function* framesOf(body: Uint8Array, hasLines: boolean): Generator<BodyFrame> {
  if (!hasLines) {
    yield tryText(body);
    return;
  }
  let start = 0;
  for (let lines = 0; start < body.length && lines < MAX_LINES;) {
    const found = body.indexOf(LINE_FEED, start);
    const end = found < 0 ? body.length : found;
    const isLong = end > start && body[end - 1] === CARRIAGE_RETURN && found >= 0;
    const line = body.subarray(start, isLong ? end - 1 : end);
    start = end + 1;
    if (line.length === 0) continue;
    lines += 1;
    yield line[0] === OPENING_BRACKET ? tryText(line) : tryDecode(textOf(line));
  }
}

function tryDecode(line: string): Uint8Array | undefined {
  return BASE64.test(line) ? Buffer.from(line, "base64") : undefined;
}

function tryText(bytes: Uint8Array): string | typeof NO_TEXT {
  return isUtf8(bytes) ? textOf(bytes) : NO_TEXT;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}
