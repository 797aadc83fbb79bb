/**
 * Which subprotocol a WebSocket speaks, of those that the client offers (WIRE §2.5).
 *
 * Runs on: shard. Pure.
 */

import { invalid, shown } from "../../definition-checks.ts";
import { listOf } from "../http/request-head.ts";

/** Header of the offer, and of the answer. */
export const SUBPROTOCOL_HEADER = "sec-websocket-protocol";

/** A token of HTTP (RFC 9110 §5.6.2), which a subprotocol has to be (RFC 6455 §4.1). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * Chooses a subprotocol.
 *
 * @param offered - the client's header
 * @param served - ours, the best first; without any the header means nothing
 * @returns the name to answer with, "" for none, undefined where the request is to be refused
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
 * @throws SIM_ERR_DEFINITION_INVALID for what is no list of names
 */
export function checkSubprotocols(subject: string, given: unknown): void {
  const wrong = Array.isArray(given) ? given.find((name) => !isName(name)) : given;
  if (Array.isArray(given) && wrong === undefined && !given.includes(undefined)) return;
  throw invalid(`${subject} must be a list of names without blanks, got ${shown(wrong)}`);
}

function isName(name: unknown): boolean {
  return typeof name === "string" && TOKEN.test(name);
}
