/**
 * Extracts the text of the payload from a frame of version 2.
 *
 *   [ "1" , "2" , "room:1" , "say" , { "text": "hi" } ]
 *     `---- four scalars ---------´   `-- payload ---´
 *
 * The frame must have been parsed by JSON.parse and have five elements, so nothing is validated
 * here. Four scalars are skipped; the rest, up to the last bracket, is the payload.
 *
 * Runs on: any thread. Pure functions.
 */

import { endOfString } from "./json-depth.ts";

/** Number of elements before the payload. */
export const HEAD_PARTS = 4;
/**
 * Maximum nesting depth of a payload that is forwarded as text. JSON.parse accepts any depth, but
 * JSON.stringify is recursive, and a receiver may parse the payload and write it again.
 */
const MAX_LEVELS = 2_048;
/** Length below which a text cannot be nested too deeply, since each level requires two units. */
const MIN_UNITS_TOO_DEEP = MAX_LEVELS * 2;

const SPACE = 0x20;
const QUOTE = 0x22;
const BRACKET = 0x5b;
const BRACE = 0x7b;

/**
 * Returns the text of the payload. Returns undefined if a ref or the topic is a list or an object,
 * or if the payload may be nested too deeply. The caller must then write the payload from its
 * value.
 */
export function payloadText(frame: string): string | undefined {
  const at = payloadOffset(frame);
  if (at < 0) return undefined;
  const text = frame.slice(at, frame.lastIndexOf("]")).trim();
  if (text.length > MIN_UNITS_TOO_DEEP && mayBeDeep(text)) return undefined;
  return onOneLine(text);
}

/**
 * Returns where the payload begins, after the fourth comma. Returns -1 if a list or an object is
 * before it, or if there are fewer elements. The frame need not be valid.
 */
export function payloadOffset(frame: string): number {
  let at = frame.indexOf("[") + 1;
  for (let part = 0; part < HEAD_PARTS && at > 0; part += 1) at = afterScalar(frame, at);
  return at > 0 ? at : -1;
}

/** Skips a scalar and the comma after it. Returns 0 if there is none, or a list or an object. */
function afterScalar(frame: string, start: number): number {
  let at = start;
  while (frame.charCodeAt(at) <= SPACE) at += 1;
  const first = frame.charCodeAt(at);
  if (first === BRACKET || first === BRACE) return 0;
  if (first === QUOTE) at = endOfString(frame, at + 1);
  return frame.indexOf(",", at) + 1;
}

/** Reports whether there are more than MAX_LEVELS opening brackets, including those in strings. */
function mayBeDeep(text: string): boolean {
  let count = 0;
  for (const bracket of ["[", "{"]) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      count += 1;
      if (count > MAX_LEVELS) return true;
    }
  }
  return false;
}

/**
 * Replaces line breaks, which occur only between tokens. Frames from the server must not contain
 * line breaks, because transports may send each frame as a line.
 */
function onOneLine(text: string): string {
  if (!text.includes("\n") && !text.includes("\r")) return text;
  return text.replaceAll(/[\r\n]/g, " ");
}
