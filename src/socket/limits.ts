/**
 * How a user limits the connections of a socket.
 *
 * Runs on: shard. Checked once for each definition.
 */

import { checkChoice, checkFunction, checkKeys } from "../definition-checks.ts";
import { checkOwnRates, OWN_KEYS, type OwnRates } from "../limits/own-limits.ts";
import { checkSharedRates, type SharedRates } from "../limits/shared-limits.ts";
import type { ConnectRequest } from "./connect-request.ts";

/** What connections may do in how much time; without a limit, whatever they can. */
export interface SocketLimits extends OwnRates {
  /** Of all connections of this node that have one id. */
  readonly perId?: SharedRates;
  /** Of all connections of this node from one address, or from one /64 of version 6. */
  readonly perAddress?: SharedRates;
  /**
   * Gives a client's address for `perAddress`; null: it is not limited by any. Without it, that of
   * the peer, which behind a proxy is the proxy's, for all.
   */
  address?(request: ConnectRequest): string | null;
  /**
   * What meets a client that goes on so far above its limits that it is not told so any more.
   * `ignore` (default): what it sends is dropped, most of it unread. `close`: its connection is
   * closed with 1008.
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
