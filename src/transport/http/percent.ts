/**
 * Percent-encoding, decoded as Elixir's `URI` does.
 *
 * Runs on: any thread. Pure.
 */

/** A percent sign that is not followed by two hex digits. */
const STRAY_PERCENT = /%(?![\da-f]{2})/gi;

/**
 * Decodes the escapes of a text. A percent sign that starts no escape is kept, as in `100%`.
 *
 * @returns undefined if the decoded bytes are not UTF-8
 */
export function tryDecodePercent(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text.replace(STRAY_PERCENT, "%25"));
  } catch {
    return undefined;
  }
}
