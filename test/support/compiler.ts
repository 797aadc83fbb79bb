/**
 * What builds native-bench.
 *
 * Runs on: the test's thread.
 */

import { spawnSync } from "node:child_process";

/** Why native-bench cannot be built here; false where it can. What `skip` of a test takes. */
export const noCompiler: string | false =
  spawnSync("make", ["--version"]).status === 0 && spawnSync("g++", ["--version"]).status === 0
    ? false
    : "make and g++ are missing, which build native-bench";
