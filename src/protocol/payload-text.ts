/**
 * Finds the payload in a frame of version 2, as the text that the client wrote.
 *
 *   [ "1" , "2" , "room:1" , "say" , { "text": "hi" } ]
 *     `---- four scalars ---------´   `-- payload ---´
 *
 * The frame was parsed before, whole and by JSON.parse, and has five elements: nothing is checked
 * here, four scalars are stepped over, and the rest up to the last bracket is the payload.
 *
 * Runs on: any thread. Pure functions.
 */

/** Parts before the payload. */
const HEAD_PARTS = 4;
/**
 * Most levels that a payload may be nested where it is passed on as text. JSON is read at any depth,
 * but written by recursion: where a receiver's code reads it and writes it again, it must get so far.
 */
const MOST_LEVELS = 2_048;
/** A shorter text cannot have more: each level takes two units. */
const LEAST_UNITS_TOO_DEEP = MOST_LEVELS * 2;

const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACKET = 0x5b;
const BRACE = 0x7b;

/**
 * Gives the text of the payload; undefined where it has to be written anew, since refs or topic
 * are lists or objects, or the payload may be nested too deep.
 */
export function payloadText(frame: string): string | undefined {
  let at = frame.indexOf("[") + 1;
  for (let part = 0; part < HEAD_PARTS; part += 1) {
    at = afterScalar(frame, at);
    if (at < 0) return undefined;
  }
  const text = frame.slice(at, frame.lastIndexOf("]")).trim();
  if (text.length > LEAST_UNITS_TOO_DEEP && mayBeDeep(text)) return undefined;
  return onOneLine(text);
}

/** Steps over a scalar and the comma behind it; -1 where it is a list or an object. */
function afterScalar(frame: string, start: number): number {
  let at = start;
  while (frame.charCodeAt(at) <= SPACE) at += 1;
  const first = frame.charCodeAt(at);
  if (first === BRACKET || first === BRACE) return -1;
  if (first === QUOTE) at = endOfString(frame, at + 1);
  return frame.indexOf(",", at) + 1;
}

function endOfString(frame: string, start: number): number {
  let at = start;
  while (at < frame.length) {
    const unit = frame.charCodeAt(at);
    if (unit === QUOTE) break;
    at += unit === BACKSLASH ? 2 : 1;
  }
  return at;
}

/** True where there are more brackets than levels may be: what stands in strings counts as well. */
function mayBeDeep(text: string): boolean {
  let count = 0;
  for (const bracket of ["[", "{"]) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      count += 1;
      if (count > MOST_LEVELS) return true;
    }
  }
  return false;
}

/**
 * Gives the text without line breaks, which stand between tokens only. No frame of the server's own
 * has any: transports may send frames as lines, and what a client breaks into lines is no frame.
 */
function onOneLine(text: string): string {
  if (!text.includes("\n") && !text.includes("\r")) return text;
  return text.replaceAll(/[\r\n]/g, " ");
}
