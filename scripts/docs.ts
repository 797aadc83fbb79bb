/**
 * `npm run docs`: updates the generated parts of the documents.
 *
 * Runs on: node, after a build.
 */

import { readFileSync, readdirSync, writeFileSync } from "node:fs";

import { withGenerated } from "./docs-tables.ts";

const ROOT = new URL("../../", import.meta.url);
/** Documents that may have tables or quoted files. */
const DOCUMENTS = [
  "README.md",
  "src/REFERENCE.md",
  "src/transport/PLATFORMS.md",
  ...readmesIn("src/"),
  ...readmesIn("test/examples/"),
  ...readmesIn("scripts/"),
];

for (const path of DOCUMENTS) {
  const file = new URL(path, ROOT);
  const before = readFileSync(file, "utf8");
  const after = withGenerated(before, (source) => readFileSync(new URL(source, ROOT), "utf8"));
  if (after !== before) writeFileSync(file, after);
  if (after !== before || path === "src/REFERENCE.md") {
    console.log(`${path}: ${after === before ? "up to date" : "written"}`);
  }
}

function readmesIn(parent: string): string[] {
  return readdirSync(new URL(parent, ROOT), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith("README.md"))
    .map((path) => `${parent}${path}`);
}
