/**
 * The versions of Node.js that Simurgh runs on: the one list that documents, tests and errors follow. Checks the
 * version before anything uses what older versions lack.
 *
 * Runs on: main.
 */

import { makeError } from "./errors.ts";

/** The tested major versions, oldest first. CI runs the whole suite on the oldest, and a part of it on the others. */
export const NODE_VERSIONS = [20, 22, 24, 26] as const;

const OLDEST = NODE_VERSIONS[0];

/** The tested versions in words. */
export const NODE_VERSIONS_TEXT = NODE_VERSIONS.join(", ").replace(/, (\d+)$/, " or $1");

/**
 * Checks that Node.js is not too old. On every later version there is an engine, if only the portable one.
 *
 * @throws SIM_ERR_ENGINE_UNAVAILABLE
 */
export function checkNodeVersion(version = process.versions.node): void {
  if (Number.parseInt(version, 10) >= OLDEST) return;
  throw makeError(
    "SIM_ERR_ENGINE_UNAVAILABLE",
    `Node.js must be version ${OLDEST} or later, got ${version}; use ${NODE_VERSIONS_TEXT}`,
  );
}
