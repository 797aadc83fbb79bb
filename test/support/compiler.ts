/**
 * Checks for the tools that build native-bench.
 *
 * Runs on: the test's thread.
 */

import { spawnSync } from "node:child_process";

/** Why native-bench cannot be built here, or false if it can. For `skip` of a test. */
export const noCompiler: string | false =
  spawnSync("make", ["--version"]).status === 0 && spawnSync("g++", ["--version"]).status === 0
    ? false
    : "make or g++ is missing, which native-bench needs";
