/**
 * Documents that say what is so: tables as the sources have them, links that lead somewhere, code
 * blocks that are the files they claim to be, and folder READMEs in their form.
 *
 * Runs on: the test's thread; reads the documents.
 */

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { FIGURE_TABLES, TABLES, withGenerated } from "../scripts/docs-tables.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDERS_OF_OTHERS = ["node_modules", "dist", "build", "coverage", "transcripts"];
const HEADINGS = [
  "Overview",
  "Usage",
  "Lifetimes and threads",
  "Data flow",
  "States",
  "Ordering guarantees",
  "Testing",
  "Limits and assumptions",
];
const MOST_LINES = 150;

const DOCUMENTS = documentsIn(".");

function documentsIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isFile()) return entry.name.endsWith(".md") ? [path] : [];
    const isOurs = !FOLDERS_OF_OTHERS.includes(entry.name) && !entry.name.startsWith(".");
    return entry.isDirectory() && isOurs ? documentsIn(path) : [];
  });
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** A document without its code, in which nothing is a link or a heading. */
function proseOf(path: string): string {
  return read(path)
    .replaceAll(/^```[\s\S]*?^```$/gm, "")
    .replaceAll(/`[^`\n]*`/g, "");
}

function linksOf(path: string): string[] {
  return [...proseOf(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link as string);
}

/** Names by which a document's headings are linked to, as GitHub makes them. */
function anchorsOf(path: string): string[] {
  const headings = [...read(path).matchAll(/^#{1,6} (.*)$/gm)];
  return headings.map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Says what is wrong with a link; undefined: nothing. */
function problemOf(document: string, link: string): string | undefined {
  if (/^(?:https?|mailto):/.test(link)) return undefined;
  const [path = "", anchor] = link.split("#", 2);
  const target = path === "" ? document : join(dirname(document), path);
  if (!existsSync(resolve(ROOT, target))) return `${document}: ${link} leads nowhere`;
  if (anchor === undefined || anchorsOf(target).includes(anchor)) return undefined;
  return `${document}: ${link}: no such heading`;
}

describe("the documents", () => {
  it("have the tables and files that the sources have (npm run docs writes them)", () => {
    for (const path of DOCUMENTS) assert.equal(read(path), withGenerated(read(path), read), path);
  });

  it("have every table somewhere in the reference", () => {
    const reference = read("src/REFERENCE.md");
    for (const name of Object.keys(TABLES)) {
      assert.match(
        reference,
        new RegExp(`<!-- ${name} -->\n\\|[\\s\\S]*\\|\n<!-- /${name} -->`),
        name,
      );
    }
  });

  it("take measured figures from one file", () => {
    const all = DOCUMENTS.map(read).join("");
    for (const name of Object.keys(FIGURE_TABLES)) {
      assert.match(all, new RegExp(`<!-- ${name} -->\n\\|[\\s\\S]*\\|\n<!-- /${name} -->`), name);
    }
  });

  it("have links that lead somewhere", () => {
    const problems = DOCUMENTS.flatMap((path) =>
      linksOf(path).map((link) => problemOf(path, link)),
    );
    assert.deepEqual(
      problems.filter((problem) => problem !== undefined),
      [],
    );
    assert.ok(problems.length > 20, `${problems.length} links`);
  });

  it("name scripts of package.json that there are", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const path of DOCUMENTS) {
      for (const [, name] of read(path).matchAll(/\bnpm run ([\w:-]+)/g)) {
        assert.ok((name as string) in scripts, `${path}: npm run ${name}`);
      }
    }
  });

  it("of folders keep to their headings and their length", () => {
    const folders = DOCUMENTS.filter((path) => /^src\/.+\/README\.md$/.test(path));
    for (const path of folders) {
      const headings = [...proseOf(path).matchAll(/^## (.*)$/gm)].map(([, name]) => name as string);
      // Folders within folders have guides, whose headings are their own.
      const isGuide = path.split("/").length > 3;
      // A guide for users comes first, under headings of its own.
      const first = headings.findIndex((name) => HEADINGS.includes(name));
      const unknown = isGuide
        ? []
        : headings.slice(first).filter((name) => !HEADINGS.includes(name));
      assert.deepEqual(unknown, [], path);
      const lines = read(path).trimEnd().split("\n").length;
      assert.ok(lines <= MOST_LINES, `${path}: ${lines} lines`);
    }
    assert.ok(folders.length >= 4, folders.join(", "));
  });

  it("of folders name every file there", () => {
    const unnamed = DOCUMENTS.filter((path) => /^src\/.+\/README\.md$/.test(path)).flatMap((path) =>
      readdirSync(join(ROOT, dirname(path)))
        .filter((name) => name.endsWith(".ts"))
        .filter((name) => !read(path).includes(`\`${basename(name, ".ts")}`))
        .map((name) => `${path}: ${name}`),
    );
    assert.deepEqual(unnamed, []);
  });
});
