/**
 * The nesting depth of a client's JSON, which has a limit if the text is long.
 *
 * JSON.stringify compares each list and object with all that contain it, so the time that it takes to write a value
 * back grows with the number of values times their depth: 16 000 nested lists, which take 32 KB, take 150 ms. A short
 * text cannot hold enough of them, so only longer texts are scanned.
 *
 * Runs on: any thread. Pure.
 */

/** Shorter texts may be nested to any depth. They take about 1 ms to write. */
export const SCANNED_FROM_UNITS = 4_096;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** Reports whether a JSON text is long and nested too deeply. The text need not be valid. */
export function isTooDeep(json: string, maxDepth: number): boolean {
  // A valid text of this length cannot be deeper, since each level takes two brackets.
  if (json.length <= SCANNED_FROM_UNITS || json.length / 2 <= maxDepth) return false;
  let depth = 0;
  for (let at = 0; at < json.length; at += 1) {
    const unit = json.charCodeAt(at);
    if (unit === QUOTE) {
      at = endOfString(json, at + 1);
    } else if (unit === OPENING_BRACKET || unit === OPENING_BRACE) {
      depth += 1;
      if (depth > maxDepth) return true;
    } else if (unit === CLOSING_BRACKET || unit === CLOSING_BRACE) {
      depth -= 1;
    }
  }
  return false;
}

/** Returns the offset of the quote that ends a string, or the length of the text if there is none. */
export function endOfString(json: string, start: number): number {
  // Most strings are short, and long ones are searched natively.
  const near = Math.min(start + 32, json.length);
  let at = start;
  while (at < near) {
    const unit = json.charCodeAt(at);
    if (unit === QUOTE) return at;
    at += unit === BACKSLASH ? 2 : 1;
  }
  for (;;) {
    const quote = json.indexOf('"', at);
    if (quote < 0) return json.length;
    if (!isEscaped(json, quote, at)) return quote;
    at = quote + 1;
  }
}

/** Reports whether an odd number of backslashes precedes a unit. */
function isEscaped(json: string, at: number, from: number): boolean {
  let first = at;
  while (first > from && json.charCodeAt(first - 1) === BACKSLASH) first -= 1;
  return (at - first) % 2 === 1;
}
