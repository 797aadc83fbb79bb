/**
 * The page around charts and tables: one file with all that it needs.
 *
 * Runs on: the load test's process.
 */

import { readFileSync } from "node:fs";
import { escapeText } from "./markup.ts";

/** From `dist/scripts/load/charts` to the sources, where style and script of pages are. */
const PAGE = new URL("../../../../scripts/load/page/", import.meta.url);

/** No text of a page may fetch anything, even if it came with a name of the user's. */
const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/** Makes a page. `body` is markup. */
export function makePage(title: string, body: string): string {
  const [style, script] = ["report.css", "report.js"].map((name) =>
    readFileSync(new URL(name, PAGE), "utf8"),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="${POLICY}">
<link rel="icon" href="data:,">
<title>${escapeText(title)}</title>
<style>
${style}</style>
</head>
<body>
${body}
<script type="module">
${script}</script>
</body>
</html>
`;
}

/** A row of a table: what it is, its value, and what is to be known of it. */
export type Row = readonly [name: string, value: string, note?: string];

/** Makes a table of names and values. */
export function makeTable(rows: readonly Row[]): string {
  const lines = rows.map(
    ([name, value, note = ""]) =>
      `<tr><th scope="row">${escapeText(name)}</th><td>${escapeText(value)}</td><td class="quiet">${escapeText(note)}</td></tr>`,
  );
  return `<div class="scroll"><table><tbody>${lines.join("\n")}</tbody></table></div>`;
}

/** Makes a table of numbers, with a head. */
export function makeNumbers(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const heads = head.map((text) => `<th scope="col">${escapeText(text)}</th>`);
  const lines = rows.map(
    (row) => `<tr>${row.map((text) => `<td>${escapeText(text)}</td>`).join("")}</tr>`,
  );
  return `<div class="scroll"><table class="numbers"><thead><tr>${heads.join("")}</tr></thead><tbody>${lines.join("\n")}</tbody></table></div>`;
}

/** Makes the few figures that stand first, large. */
export function makeTiles(tiles: readonly (readonly [name: string, value: string])[]): string {
  const parts = tiles.map(
    ([name, value]) => `<div><dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd></div>`,
  );
  return `<dl class="tiles">${parts.join("")}</dl>`;
}

/** How a statement is to be taken. */
export type Grade = "good" | "caution" | "bad";

/** A statement of a verdict. */
export interface Statement {
  readonly grade: Grade;
  readonly text: string;
}

const GRADE_WORDS = { good: "Good", caution: "Caution", bad: "Bad" } as const satisfies Record<
  Grade,
  string
>;

/** Makes the list of what a run says, each with a word beside its colour. */
export function makeVerdict(statements: readonly Statement[]): string {
  const items = statements.map(
    ({ grade, text }) =>
      `<li class="${grade}"><b>${GRADE_WORDS[grade]}.</b> ${escapeText(text)}</li>`,
  );
  return `<ul class="verdict">${items.join("\n")}</ul>`;
}
