/**
 * `npm run docs`: writes what the documents repeat of the sources.
 *
 * Runs on: node, after a build.
 */

import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";

import { withGenerated } from "./docs-tables.ts";

const ROOT = new URL("../../", import.meta.url);
/** Those that may have tables or quoted files. */
const DOCUMENTS = ["README.md", ...readmesIn("src/"), ...readmesIn("test/examples/")];

for (const path of DOCUMENTS) {
  const file = new URL(path, ROOT);
  const before = readFileSync(file, "utf8");
  const after = withGenerated(before, (source) => readFileSync(new URL(source, ROOT), "utf8"));
  if (after !== before) writeFileSync(file, after);
  if (after !== before || path === "README.md") {
    console.log(`${path}: ${after === before ? "up to date" : "written"}`);
  }
}

function readmesIn(parent: string): string[] {
  return readdirSync(new URL(parent, ROOT), { withFileTypes: true })
    .filter((folder) => folder.isDirectory())
    .map(({ name }) => `${parent}${name}/README.md`)
    .filter((path) => existsSync(new URL(path, ROOT)));
}
