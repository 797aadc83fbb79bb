/**
 * Definition of a socket's rate limits.
 *
 * Runs on: shard; checked once per definition.
 */

import { checkChoice, checkFunction, checkKeys } from "../definition-checks.ts";
import { checkOwnRates, OWN_KEYS, type OwnRates } from "../limits/own-limits.ts";
import { checkSharedRates, type SharedRates } from "../limits/shared-limits.ts";
import type { ConnectRequest } from "./connect-request.ts";

/** Rate limits of each connection, and of connections together. What is left out is not limited. */
export interface SocketLimits extends OwnRates {
  /** All connections to this node with the same id, together. */
  readonly perId?: SharedRates;
  /** All connections to this node from the same address (for IPv6, the same /64), together. */
  readonly perAddress?: SharedRates;
  /**
   * Returns a client's address for `perAddress`; null: the client has no address limits. Default: the
   * address of the peer, which behind a proxy is that of the proxy for every client.
   */
  address?(request: ConnectRequest): string | null;
  /**
   * What happens to a client that exceeds its limits so far that it is no longer told. `ignore`
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
