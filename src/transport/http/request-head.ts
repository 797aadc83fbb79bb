/**
 * What we keep of an HTTP request: the engine's own object dies when its callback returns.
 *
 * Runs on: shard.
 */

import type { HttpRequest, HttpResponse } from "../engine/engine-types.ts";
import { pathParams } from "./path.ts";

/** A header: its name in lower case, and its value. */
export type Header = readonly [name: string, value: string];

/** The head of a request. */
export interface RequestHead {
  /** Upper case. */
  readonly method: string;
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
  /** Variables of the path. */
  readonly pathParams: Readonly<Record<string, string>>;
  /** Those that were wanted, in their order; a name may come more than once. */
  readonly headers: readonly Header[];
  /** Empty where it was not wanted. */
  readonly peerAddress: string;
}

/** What of a request's head somebody will look at. The rest is not kept, not even for a moment. */
export interface HeadWants {
  /** Names of headers, in lower case. */
  readonly names: ReadonlySet<string>;
  /** Beginnings of names. */
  readonly prefixes: readonly string[];
  readonly isPeerWanted: boolean;
}

/** All of it. */
export const WHOLE_HEAD: HeadWants = { names: new Set(), prefixes: [""], isPeerWanted: true };

/** Copies the head of a request, as far as it is wanted. */
export function readHead(
  response: HttpResponse,
  request: HttpRequest,
  variables: readonly string[],
  wants: HeadWants,
): RequestHead {
  const headers: Header[] = [];
  // In one pass: asking by names costs the same, and tells an empty header from none only so.
  request.forEach((name, value) => {
    const isWanted =
      wants.names.has(name) || wants.prefixes.some((prefix) => name.startsWith(prefix));
    if (isWanted) headers.push([name, value]);
  });
  return {
    method: request.getMethod().toUpperCase(),
    path: request.getUrl(),
    query: queryOf(request),
    pathParams: pathParams(request, variables),
    headers,
    peerAddress: wants.isPeerWanted ? peerAddressOf(response) : "",
  };
}

/** Gives a header by its lower-case name: the first, where there are several. */
export function headerOf({ headers }: RequestHead, name: string): string | undefined {
  return headers.find(([each]) => each === name)?.[1];
}

/** Gives all headers of a lower-case name. */
export function headersOf({ headers }: RequestHead, name: string): string[] {
  return headers.filter(([each]) => each === name).map(([, value]) => value);
}

/** Splits a header that is a list. */
export function listOf(value: string): string[] {
  return value
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

// The package's types do not say that a request without a question mark has no query at all.
function queryOf(request: { getQuery(): string | undefined }): string {
  return request.getQuery() ?? "";
}

function peerAddressOf(response: HttpResponse): string {
  return Buffer.from(response.getRemoteAddressAsText()).toString("latin1");
}
