/**
 * Definition of a socket's rate limits.
 *
 * Runs on: shard; checked once per definition.
 */

import { checkChoice, checkFunction, checkKeys } from "../definition-checks.ts";
import { checkOwnRates, OWN_KEYS, type OwnRates } from "../limits/own-limits.ts";
import { checkSharedRates, type SharedRates } from "../limits/shared-limits.ts";
import type { ConnectRequest } from "./connect-request.ts";

/**
 * Rate limits for each connection, and limits shared by several connections. Omitted limits do not
 * apply.
 */
export interface SocketLimits extends OwnRates {
  /** Limits shared by all connections to this node with the same id. */
  readonly perId?: SharedRates;
  /**
   * Limits shared by all connections to this node from the same address (for IPv6, the same /64).
   */
  readonly perAddress?: SharedRates;
  /**
   * Returns a client's address for `perAddress`, or null if address limits do not apply to the
   * client. Default: the peer's address, which behind a proxy is the address of the proxy for every
   * client.
   */
  address?(request: ConnectRequest): string | null;
  /**
   * Policy for a client that exceeds its limits so far that it is no longer notified. `ignore`
   * (default): its messages are dropped, most of them undecoded. `close`: its connection is closed
   * with 1008.
   */
  readonly flood?: "ignore" | "close";
}

const KEYS = [
  ...OWN_KEYS,
  "perId",
  "perAddress",
  "address",
  "flood",
] as const satisfies (keyof SocketLimits)[];

/** Checks the limits of a socket. @throws SIM_ERR_DEFINITION_INVALID */
export function checkSocketLimits(given: SocketLimits): void {
  checkKeys("limits", given, KEYS);
  const { perId, perAddress, flood = "ignore" } = given;
  const { address } = given as { readonly address?: unknown };
  checkOwnRates("limits", given);
  if (perId !== undefined) checkSharedRates("limits.perId", perId);
  if (perAddress !== undefined) checkSharedRates("limits.perAddress", perAddress);
  if (address !== undefined) checkFunction("limits.address", address);
  checkChoice("limits.flood", flood, ["ignore", "close"]);
}
