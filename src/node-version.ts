/**
 * Checks the version of Node.js, before anything uses what older versions lack.
 *
 * Runs on: main.
 */

import { makeError } from "./errors.ts";

const OLDEST = 20;

/**
 * Checks that Node.js is not too old. The engine's loader checks the rest.
 *
 * @throws SIM_ERR_ENGINE_UNAVAILABLE
 */
export function checkNodeVersion(version = process.versions.node): void {
  if (Number.parseInt(version, 10) >= OLDEST) return;
  throw makeError(
    "SIM_ERR_ENGINE_UNAVAILABLE",
    `Node.js must be version 20, 22, 24 or 25, got ${version}; use one of these`,
  );
}
