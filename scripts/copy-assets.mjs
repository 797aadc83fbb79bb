/**
 * Completes a build: what tsc leaves behind is copied, and the command is made executable.
 *
 * Runs on: `npm run build`, after tsc.
 */

import { chmodSync, cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);
const file = (path) => fileURLToPath(new URL(path, root));

// Removed first: a file that is gone from src must not live on in the package.
rmSync(file("dist/src/demo/page"), { recursive: true, force: true });
cpSync(file("src/demo/page"), file("dist/src/demo/page"), { recursive: true });
chmodSync(file("dist/src/cli/simurgh.js"), 0o755);
