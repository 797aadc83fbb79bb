/**
 * The page around charts and tables: a single, self-contained file.
 *
 * Runs on: the load test's process.
 */

import { readFileSync } from "node:fs";
import { escapeText } from "./markup.ts";

/** The source folder of the pages' style and script, relative to `dist/scripts/load/charts`. */
const PAGE = new URL("../../../../scripts/load/page/", import.meta.url);

/** Prevents pages from fetching anything, even if a name given by the user contains markup. */
const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/** Creates a page. `body` is markup. */
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

/** A row of a table, with a name, a value, and optionally a remark. */
export type Row = readonly [name: string, value: string, note?: string];

/** Creates a table of names and values. */
export function makeTable(rows: readonly Row[]): string {
  const lines = rows.map(
    ([name, value, note = ""]) =>
      `<tr><th scope="row">${escapeText(name)}</th><td>${escapeText(value)}</td><td class="quiet">${escapeText(note)}</td></tr>`,
  );
  return `<div class="scroll"><table><tbody>${lines.join("\n")}</tbody></table></div>`;
}

/** Creates a table of numbers with column headings. */
export function makeNumbers(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const heads = head.map((text) => `<th scope="col">${escapeText(text)}</th>`);
  const lines = rows.map(
    (row) => `<tr>${row.map((text) => `<td>${escapeText(text)}</td>`).join("")}</tr>`,
  );
  return `<div class="scroll"><table class="numbers"><thead><tr>${heads.join("")}</tr></thead><tbody>${lines.join("\n")}</tbody></table></div>`;
}

/** Creates the few large figures at the top of a page. */
export function makeTiles(tiles: readonly (readonly [name: string, value: string])[]): string {
  const parts = tiles.map(
    ([name, value]) => `<div><dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd></div>`,
  );
  return `<dl class="tiles">${parts.join("")}</dl>`;
}

/** The grade of a statement. */
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

/** Creates the list of statements, each with its grade as a word and a colour. */
export function makeVerdict(statements: readonly Statement[]): string {
  const items = statements.map(
    ({ grade, text }) =>
      `<li class="${grade}"><b>${GRADE_WORDS[grade]}.</b> ${escapeText(text)}</li>`,
  );
  return `<ul class="verdict">${items.join("\n")}</ul>`;
}
