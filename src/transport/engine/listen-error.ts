/**
 * The error of a port that cannot be listened on.
 *
 * Runs on: main, shard.
 */

import { makeError } from "../../errors.ts";

/** Creates the error of a host and port that are in use or not available. */
export function listenError(host: string, port: number, options?: ErrorOptions): Error {
  return makeError(
    "SIM_ERR_LISTEN",
    `host and port must be free and local, got ${host}:${port}, which is in use or not available; stop the other program, or set another port (SIMURGH_PORT)`,
    options,
  );
}
