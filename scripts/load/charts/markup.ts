/**
 * Writes text and data within HTML and SVG.
 *
 * Runs on: the load test's process. Pure functions.
 */

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes text for use in an element or a quoted attribute. */
export function escapeText(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** Encodes data for a `<script type="application/json">`, so that no text in it can end the script. */
export function embedJson(data: unknown): string {
  return JSON.stringify(data).replaceAll("<", String.raw`\u003c`);
}

/** Formats a coordinate with one decimal; a tenth of a pixel is precise enough. */
export function coordinate(value: number): string {
  return String(Math.round(value * 10) / 10);
}
