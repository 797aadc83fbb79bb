/**
 * Shortens text that clients or user code choose, before it is logged or shown.
 *
 * Runs on: any thread. A pure function.
 * Full: longer text is cut, and the number of characters that are missing is appended.
 */

/** Maximum length of a text in a log line (UTF-16 units). */
export const MAX_TEXT_UNITS = 1_024;

/** Returns a text, cut after a number of UTF-16 units. */
export function cutText(text: string, maxUnits = MAX_TEXT_UNITS): string {
  if (text.length <= maxUnits) return text;
  const head = headOf(text, maxUnits);
  return `${head}... (${text.length - head.length} more characters)`;
}

/** Returns at most a number of UTF-16 units from the start of a text. */
export function headOf(text: string, maxUnits: number): string {
  if (text.length <= maxUnits) return text;
  // A surrogate pair is not split: half of one cannot be written as UTF-8.
  const last = text.charCodeAt(maxUnits - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? maxUnits - 1 : maxUnits;
  return text.slice(0, end);
}
