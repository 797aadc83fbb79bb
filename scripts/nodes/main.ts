/**
 * `npm run nodes`: runs tests on other versions of Node.js than this one.
 *
 *   npm run nodes                      the quick part of the suite on each version but the oldest
 *   npm run nodes -- 22 --only pubsub  what `npm test` takes, on one version
 *
 * The quick part takes about 80 s for each version on two cores. `npm test` on the oldest version runs everything.
 *
 * Runs on: node, after a build; each version is a process of its own.
 */

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { NODE_VERSIONS } from "../../src/node-version.ts";
import { environmentOf, nodeBuild } from "./node-builds.ts";

const RUNNER = fileURLToPath(new URL("../../../scripts/test.mjs", import.meta.url));
const REPORT = fileURLToPath(new URL("../../test-report.txt", import.meta.url));

const [, , ...args] = process.argv;
const firstWord = args.findIndex((word) => !/^\d+$/.test(word));
const chosen = args.slice(0, firstWord === -1 ? args.length : firstWord).map(Number);
const words = args.slice(chosen.length);
const failed: number[] = [];

for (const major of chosen.length > 0 ? chosen : NODE_VERSIONS.slice(1)) {
  if (!hasPassed(major)) failed.push(major);
}
if (failed.length > 0) {
  console.error(`nodes: tests failed on Node.js ${failed.join(", ")}`);
  process.exitCode = 1;
}

/** Runs the tests on one version. */
function hasPassed(major: number): boolean {
  const build = nodeBuild(major, (line) => console.log(`nodes: ${line}`));
  console.log(`nodes: Node.js ${build.version}`);
  const { status } = spawnSync(build.file, [RUNNER, ...(words.length > 0 ? words : ["--quick"])], {
    env: environmentOf(build),
    stdio: "inherit",
  });
  if (status === 0) return true;
  // The next version writes a report of its own.
  const copy = REPORT.replace(/\.txt$/, `-node-${major}.txt`);
  if (existsSync(REPORT)) copyFileSync(REPORT, copy);
  console.error(`nodes: the report of Node.js ${major} is in ${copy}`);
  return false;
}
