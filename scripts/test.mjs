/**
 * `npm test`: runs the compiled tests. `--help` lists its options; `scripts/test-run.ts` does the work.
 *
 * Runs on: node, after `npm run build`.
 */

import { existsSync } from "node:fs";

const run = new URL("../dist/scripts/test-run.js", import.meta.url);
if (existsSync(run)) {
  const { runTests } = await import(run);
  process.exitCode = await runTests(process.argv.slice(2));
} else {
  console.error("npm test: the tests must be compiled, got no dist folder; run npm run build");
  process.exitCode = 1;
}
