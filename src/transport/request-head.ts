/**
 * What we keep of an HTTP request: the engine's own object dies when its callback returns.
 *
 * Runs on: shard.
 */

import type { ConnectInfo } from "../socket/definition.ts";
import type { HttpRequest, HttpResponse } from "./engine-types.ts";
import { pathParams } from "./path.ts";

/** The head of a request. */
export interface RequestHead {
  /** Upper case. */
  readonly method: string;
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
  /** Variables of the path. */
  readonly pathParams: Readonly<Record<string, string>>;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly peerAddress: string;
}

/** Copies the head of a request. */
export function readHead(
  response: HttpResponse,
  request: HttpRequest,
  variables: readonly string[],
): RequestHead {
  const headers = new Map<string, string>();
  request.forEach((name, value) => {
    headers.set(name, value);
  });
  return {
    method: request.getMethod().toUpperCase(),
    path: request.getUrl(),
    query: queryOf(request),
    pathParams: pathParams(request, variables),
    headers,
    peerAddress: Buffer.from(response.getRemoteAddressAsText()).toString("latin1"),
  };
}

// The package's types do not say that a request without a question mark has no query at all.
function queryOf(request: { getQuery(): string | undefined }): string {
  return request.getQuery() ?? "";
}

/** Gives what a socket's `connect` may know of a request. */
export function connectInfoOf(head: RequestHead): ConnectInfo {
  const { headers, path, query } = head;
  const xHeaders = Object.fromEntries([...headers].filter(([name]) => name.startsWith("x-")));
  return {
    peer: { address: head.peerAddress },
    uri: { path, query, host: headers.get("host") ?? "" },
    userAgent: headers.get("user-agent") ?? null,
    xHeaders,
  };
}
