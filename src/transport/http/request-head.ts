/**
 * A copy of an HTTP request's head. The engine's own object is only valid during its callback.
 *
 * Runs on: shard.
 */

import type { HttpRequest, HttpResponse } from "../engine/engine-types.ts";
import { BodyFraming } from "./framing.ts";
import { pathParams } from "./path.ts";

/** A header, with its name in lower case. */
export type Header = readonly [name: string, value: string];

/** The head of a request. */
export interface RequestHead {
  /** The method as sent: `get` is not `GET`. */
  readonly method: string;
  readonly path: string;
  /** The query without the question mark. */
  readonly query: string;
  /** Variables of the path. */
  readonly pathParams: Readonly<Record<string, string>>;
  /** The wanted headers, in order. A name may repeat. */
  readonly headers: readonly Header[];
  /** Length of the body by the head; Infinity if it is sent in chunks. */
  readonly bodyBytes: number;
  /** Whether the request says where its body ends. Otherwise it must be refused. */
  readonly isFramed: boolean;
  /** Whether the client asks to close the connection after the answer, and the engine does so. */
  readonly isLast: boolean;
  /** Empty if the address is not wanted. */
  readonly peerAddress: string;
}

/** The parts of a request's head that are needed. The rest is never copied. */
export interface HeadWants {
  /** Names of the wanted headers, in lower case. */
  readonly names: ReadonlySet<string>;
  /** Prefixes of the names of wanted headers, in lower case. */
  readonly prefixes: readonly string[];
  /** Whether the client's address is needed. Read for each request, as it may change. */
  readonly isPeerWanted: boolean;
}

/** The whole head. */
export const WHOLE_HEAD: HeadWants = { names: new Set(), prefixes: [""], isPeerWanted: true };

/** The engine takes every value with as many characters as `close` for `close`. */
const CLOSE_LENGTH = 5;

/** Copies the wanted parts of a request's head. */
export function readHead(
  response: HttpResponse,
  request: HttpRequest,
  variables: readonly string[],
  wants: HeadWants,
): RequestHead {
  const headers: Header[] = [];
  const framing = new BodyFraming();
  // One pass costs no more than look-ups by name, which cannot distinguish an empty header from a
  // missing header.
  request.forEach((name, value) => {
    framing.read(name, value);
    const isWanted =
      wants.names.has(name) || wants.prefixes.some((prefix) => name.startsWith(prefix));
    if (isWanted) headers.push([name, value]);
  });
  return {
    method: request.getCaseSensitiveMethod(),
    path: request.getUrl(),
    query: queryOf(request),
    pathParams: pathParams(request, variables),
    headers,
    bodyBytes: framing.bodyBytes,
    isFramed: framing.isValid,
    isLast: request.getHeader("connection").length === CLOSE_LENGTH,
    peerAddress: wants.isPeerWanted ? peerAddressOf(response) : "",
  };
}

/** Returns the first header of this lower-case name. */
export function headerOf({ headers }: RequestHead, name: string): string | undefined {
  return headers.find(([each]) => each === name)?.[1];
}

/** Returns all headers of this lower-case name. */
export function headersOf({ headers }: RequestHead, name: string): string[] {
  return headers.filter(([each]) => each === name).map(([, value]) => value);
}

/** Splits the value of a comma-separated header. */
export function listOf(value: string): string[] {
  return value
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

// The engine returns undefined if there is no question mark, contrary to the package's types.
function queryOf(request: { getQuery(): string | undefined }): string {
  return request.getQuery() ?? "";
}

function peerAddressOf(response: HttpResponse): string {
  return Buffer.from(response.getRemoteAddressAsText()).toString("latin1");
}
