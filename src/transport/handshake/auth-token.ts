/**
 * The auth token of a client, which is not sent in the URL because URLs end up in logs.
 *
 * The only header that a browser lets a page set on a WebSocket is the list of subprotocols. So the
 * token is an entry of that list: `base64url.bearer.phx.<token>`.
 *
 * Runs on: shard. Pure.
 */

import { listOf, type Header, type RequestHead } from "../http/request-head.ts";
import { SUBPROTOCOL_HEADER } from "./subprotocols.ts";

/** Header with the token, for clients that can set headers, which are those of long-poll. */
export const AUTH_TOKEN_HEADER = "x-phoenix-authtoken";

const PREFIX = "base64url.bearer.phx.";
/** Accepts both alphabets: the official client uses the standard one, despite the prefix. */
const BASE64 = /^[\w+/-]*={0,2}$/;

/** A token, and the request head without it. */
export interface TakenToken {
  readonly token: string | null;
  readonly head: RequestHead;
}

/**
 * Removes the token from the offered subprotocols.
 *
 * @returns undefined if the token is not base64; a null token and the unchanged head if there is no
 *   token, or more than one
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
    // `btoa` encodes characters beyond ASCII as Latin-1.
    return bytes.toString("latin1");
  }
}
