/**
 * Text within HTML and SVG.
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

/** Makes a text safe within an element and within a quoted attribute. */
export function escapeText(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** Writes data for a `<script type="application/json">`, which no text in it can end. */
export function embedJson(data: unknown): string {
  return JSON.stringify(data).replaceAll("<", String.raw`\u003c`);
}

/** A coordinate with one digit behind the point: a tenth of a pixel is enough. */
export function coordinate(value: number): string {
  return String(Math.round(value * 10) / 10);
}
