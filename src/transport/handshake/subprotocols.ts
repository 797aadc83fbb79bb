/**
 * The choice of a WebSocket's subprotocol from those that the client offers.
 *
 * Runs on: shard. Pure.
 */

import { invalid, shown } from "../../definition-checks.ts";
import { listOf } from "../http/request-head.ts";

/** Header of both the offer and the choice. */
export const SUBPROTOCOL_HEADER = "sec-websocket-protocol";

/** An HTTP token (RFC 9110 §5.6.2), as each subprotocol must be (RFC 6455 §4.1). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * Chooses a subprotocol.
 *
 * @param offered - the client's header
 * @param served - the mount's, in order of preference; undefined: the header is ignored
 * @returns the chosen name; "" for none; undefined if the request must be refused
 */
export function chooseSubprotocol(
  offered: string | undefined,
  served: readonly string[] | undefined,
): string | undefined {
  if (offered === undefined || served === undefined) return "";
  const names = listOf(offered);
  return served.find((name) => names.includes(name));
}

/**
 * Checks the subprotocols of a mount.
 *
 * @throws SIM_ERR_DEFINITION_INVALID if they are not a list of names
 */
export function checkSubprotocols(subject: string, given: unknown): void {
  const wrong = Array.isArray(given) ? given.find((name) => !isName(name)) : given;
  if (Array.isArray(given) && wrong === undefined && !given.includes(undefined)) return;
  throw invalid(`${subject} must be a list of names without blanks, got ${shown(wrong)}`);
}

function isName(name: unknown): boolean {
  return typeof name === "string" && TOKEN.test(name);
}
