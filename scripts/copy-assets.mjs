/**
 * Completes a build: copies files that tsc does not copy, and makes the command executable.
 *
 * Runs on: `npm run build`, after tsc.
 */

import { chmodSync, cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);
const file = (path) => fileURLToPath(new URL(path, root));

// Removed first, so that files deleted from src do not remain in the package.
for (const page of [
  "src/demo/page",
  "test/examples/attach/page",
  "test/examples/editor/page",
  "test/examples/event-source/page",
  "test/examples/jobs/page",
]) {
  rmSync(file(`dist/${page}`), { recursive: true, force: true });
  cpSync(file(page), file(`dist/${page}`), { recursive: true });
}
chmodSync(file("dist/src/cli/simurgh.js"), 0o755);
