/**
 * The token by which a client says who it is, outside of the URL, which ends up in logs.
 *
 * A browser lets a page set no header of a WebSocket but the offered subprotocols; so it is an
 * entry `base64url.bearer.phx.<token>` among these (WIRE §2.5).
 *
 * Runs on: shard. Pure.
 */

import { listOf, type Header, type RequestHead } from "../http/request-head.ts";
import { SUBPROTOCOL_HEADER } from "./subprotocols.ts";

/** Header of the token where a client can set one: with long-poll. */
export const AUTH_TOKEN_HEADER = "x-phoenix-authtoken";

const PREFIX = "base64url.bearer.phx.";
/** Both alphabets: the client's is the standard one, whatever the prefix says. */
const BASE64 = /^[\w+/-]*={0,2}$/;

/** A token, and the head without it. */
export interface TakenToken {
  readonly token: string | null;
  readonly head: RequestHead;
}

/**
 * Takes the token out of the offered subprotocols.
 *
 * @returns undefined where it is no base64. No token, and the head as it is, where there are none or several
 */
export function tryTakeAuthToken(head: RequestHead): TakenToken | undefined {
  const at = head.headers.findIndex(([name]) => name === SUBPROTOCOL_HEADER);
  const entries = listOf(head.headers[at]?.[1] ?? "");
  const [encoded, another] = entries.filter((entry) => entry.startsWith(PREFIX));
  if (encoded === undefined || another !== undefined) return { token: null, head };
  const token = tryDecode(encoded.slice(PREFIX.length));
  if (token === undefined) return undefined;
  const rest = entries.filter((entry) => entry !== encoded);
  const left: Header[] = rest.length > 0 ? [[SUBPROTOCOL_HEADER, rest.join(", ")]] : [];
  return { token, head: { ...head, headers: head.headers.toSpliced(at, 1, ...left) } };
}

function tryDecode(encoded: string): string | undefined {
  const digits = encoded.replace(/=+$/, "");
  if (!BASE64.test(encoded) || digits.length % 4 === 1) return undefined;
  const bytes = Buffer.from(digits, "base64");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // What `btoa` made of a text beyond ASCII.
    return bytes.toString("latin1");
  }
}
