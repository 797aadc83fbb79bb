/**
 * The table of what Simurgh was seen to run on, and the file that keeps it.
 *
 * `npm run platforms -- --save` replaces the columns of the engines that it tried, for the rows that it tried. `npm run docs`
 * then writes the table of the document.
 *
 * Runs on: the process of `npm run platforms`, and those that write or compare documents.
 */

import { readFileSync, writeFileSync } from "node:fs";

const FILE = new URL("../../../scripts/nodes/platforms.json", import.meta.url);

/** Shown as long as nobody has tried it. */
const MUSL_NOT_TRIED: readonly string[] = [
  "any",
  "musl",
  "not tried: npm has no Node.js for musl, and one for glibc does not start with Debian's musl loader",
  "not tried, as beside",
];

/** The engines that have a column. */
export const ENGINES = ["native", "portable"] as const;
export type EngineName = (typeof ENGINES)[number];

/** What was tried with one engine on one platform, and what came of it. */
export interface Cell {
  readonly result: string;
  /** Such as `2026-11-30`. */
  readonly date: string;
}

/** One platform. */
export interface PlatformRow {
  /** The version of Node.js; `any` if it does not matter. */
  readonly node: string;
  /** The C library and processor, such as `glibc 2.36, x64`. */
  readonly library: string;
  readonly engines: { readonly [Name in EngineName]?: Cell };
}

/** Reads the file. */
export function readPlatforms(): PlatformRow[] {
  return JSON.parse(readFileSync(FILE, "utf8")) as PlatformRow[];
}

/** Writes the file. */
export function writePlatforms(rows: readonly PlatformRow[]): void {
  writeFileSync(FILE, `${JSON.stringify(rows, undefined, 2)}\n`);
}

/** Returns the rows with those of a run in their places. Rows of the same major version are the same platform. */
export function withTried(
  before: readonly PlatformRow[],
  tried: readonly PlatformRow[],
): PlatformRow[] {
  const after = [...before];
  for (const row of tried) {
    const at = after.findIndex((other) => isSame(other, row));
    if (at === -1) after.push(row);
    else after[at] = { ...row, engines: { ...after[at]?.engines, ...row.engines } };
  }
  return after.toSorted(
    (a, b) => a.library.localeCompare(b.library, "en") || majorOf(a) - majorOf(b),
  );
}

/** Returns the heads and rows of the table. */
export function platformTable(): { head: readonly string[]; rows: readonly (readonly string[])[] } {
  const rows = readPlatforms();
  const isMuslTried = rows.some(({ library }) => library.startsWith("musl"));
  return {
    head: ["Node.js", "C library", ...ENGINES.map((name) => `\`${name}\``)],
    rows: [
      ...rows.map(({ node, library, engines }) => [
        node,
        library,
        ...ENGINES.map((name) => textOf(engines[name])),
      ]),
      ...(isMuslTried ? [] : [MUSL_NOT_TRIED]),
    ],
  };
}

function textOf(cell: Cell | undefined): string {
  return cell === undefined ? "not tried" : `${cell.result} (${cell.date})`;
}

function isSame(a: PlatformRow, b: PlatformRow): boolean {
  return a.library === b.library && majorOf(a) === majorOf(b);
}

function majorOf({ node }: PlatformRow): number {
  return Number.parseInt(node, 10) || 0;
}
