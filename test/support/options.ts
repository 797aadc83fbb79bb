/**
 * Options of a test's server, with small values instead of large defaults.
 *
 * Runs on: the test's thread.
 */

import { resolveOptions } from "../../src/options/resolution.ts";
import type { Options, ResolvedOptions } from "../../src/options/options.ts";

/** Resolves options for a node that needs little memory. */
export function smallOptions(given: Options = {}): ResolvedOptions {
  const small = { shards: 1, secretKeyBase: "s".repeat(64), ringBytes: 4_096, indexBits: 8 };
  const automatic = {
    shards: () => 1,
    parallelism: () => 1,
    descriptorLimit: () => 4_096,
    memoryLimit: () => 1_073_741_824,
    secretKeyBase: () => "",
    nodeName: () => "node",
  };
  return resolveOptions({ ...small, ...given }, {}, automatic);
}
