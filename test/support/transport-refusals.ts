/**
 * What the status of a refused handshake means in the suite for transports.
 *
 * Runs on: the thread of a test. A table only.
 */

import type { TransportRefusal } from "../../src/testing/index.ts";

/** Refusals by HTTP status. */
export const REFUSALS: Readonly<Record<number, TransportRefusal>> = {
  403: "refused",
  429: "limited",
  500: "failed",
  503: "unavailable",
};
