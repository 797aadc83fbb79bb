/**
 * `npm run docs`: writes what the documents repeat of the sources.
 *
 * Runs on: node, after a build.
 */

import { readFileSync, writeFileSync } from "node:fs";

import { withGenerated } from "./docs-tables.ts";

const ROOT = new URL("../../", import.meta.url);
/** Those that have tables or quoted files. */
const DOCUMENTS = ["README.md", "src/limits/README.md", "test/examples/sign-in-jwt/README.md"];

for (const path of DOCUMENTS) {
  const file = new URL(path, ROOT);
  const before = readFileSync(file, "utf8");
  const after = withGenerated(before, (source) => readFileSync(new URL(source, ROOT), "utf8"));
  if (after !== before) writeFileSync(file, after);
  console.log(`${path}: ${after === before ? "up to date" : "written"}`);
}
