/**
 * A copy of an HTTP request's head. The engine's own object is only valid during its callback.
 *
 * Runs on: shard.
 */

import type { EngineRequest, EngineResponse } from "../engine/app-port.ts";
import { BodyFraming } from "./framing.ts";
import { pathParams } from "./path.ts";
import { ForwardedHeaders, type RequestClient, type TrustedProxies } from "./trusted-proxies.ts";
import type { HttpScheme } from "./uri.ts";

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
  /** Address of the client, or of the nearest proxy that is not trusted. Empty if it is not wanted. */
  readonly peerAddress: string;
  /** Scheme of the client's request, as a trusted proxy says if it is wanted, and otherwise the server's. */
  readonly scheme: HttpScheme;
  /** Host that the client asked for, if a trusted proxy says it and it is wanted. Otherwise `Host` says it. */
  readonly forwardedHost: string | undefined;
  /**
   * False if the request must be refused: it has gone around the server that this one is attached to, or its client's
   * address is wanted and the system does not know it any more, since the client has reset the connection. Without an
   * address, the client would be under no limit.
   */
  readonly isAdmitted: boolean;
}

/** The parts of a request's head that are needed. The rest is never copied. */
export interface HeadWants {
  /** Names of the wanted headers, in lower case. */
  readonly names: ReadonlySet<string>;
  /** Prefixes of the names of wanted headers, in lower case. */
  readonly prefixes: readonly string[];
  /** Whether the client's address is needed. Read for each request, as it may change. */
  readonly isPeerWanted: boolean;
  /** Whether scheme and host are needed, as a trusted proxy forwards them. */
  readonly isTargetWanted: boolean;
}

/** The whole head. */
export const WHOLE_HEAD: HeadWants = {
  names: new Set(),
  prefixes: [""],
  isPeerWanted: true,
  isTargetWanted: true,
};

/** Where a request comes from. */
export interface HeadSource {
  /** Scheme of the server's own port. */
  readonly scheme: HttpScheme;
  /** Undefined if the client is the connection's peer. */
  readonly proxies: TrustedProxies | undefined;
}

const OF_HTTP: HeadSource = { scheme: "http", proxies: undefined };
/** The engine takes every value with as many characters as `close` for `close`. */
const CLOSE_LENGTH = 5;

/** Copies the wanted parts of a request's head. */
export function readHead(
  response: EngineResponse,
  request: EngineRequest,
  variables: readonly string[],
  wants: HeadWants,
  { scheme, proxies }: HeadSource = OF_HTTP,
): RequestHead {
  const headers: Header[] = [];
  const forwarded = proxies && new ForwardedHeaders();
  const framing = new BodyFraming();
  // One pass costs no more than look-ups by name, which cannot distinguish an empty header from a
  // missing header.
  request.forEach((name, value) => {
    framing.read(name, value);
    if (forwarded?.read(name, value) === true) return;
    if (isWanted(name, wants)) headers.push([name, value]);
  });
  const client =
    (forwarded && proxies?.clientOf(response, forwarded, wants)) ?? peerOf(response, wants, scheme);
  const isGone = wants.isPeerWanted && client.address === "";
  return {
    method: request.getCaseSensitiveMethod(),
    path: request.getUrl(),
    query: queryOf(request),
    pathParams: pathParams(request, variables),
    headers,
    bodyBytes: framing.bodyBytes,
    isFramed: framing.isValid,
    isLast: request.getHeader("connection").length === CLOSE_LENGTH,
    peerAddress: client.address,
    scheme: client.scheme,
    forwardedHost: client.host,
    isAdmitted: client.isAdmitted && !isGone,
  };
}

function isWanted(name: string, { names, prefixes }: HeadWants): boolean {
  return names.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

/** Returns the first header of this lower-case name. */
export function headerOf({ headers }: RequestHead, name: string): string | undefined {
  return headers.find(([each]) => each === name)?.[1];
}

/** Returns all headers of this lower-case name. */
export function headersOf({ headers }: RequestHead, name: string): string[] {
  return headers.filter(([each]) => each === name).map(([, value]) => value);
}

/** Returns the host that the client asked for, as a trusted proxy or its `Host` header says. */
export function hostOf(head: RequestHead): string {
  return head.forwardedHost ?? headerOf(head, "host") ?? "";
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

/** Returns the connection's peer as the client. */
function peerOf(
  response: EngineResponse,
  { isPeerWanted }: HeadWants,
  scheme: HttpScheme,
): RequestClient {
  const address = isPeerWanted
    ? Buffer.from(response.getRemoteAddressAsText()).toString("latin1")
    : "";
  return { address, scheme, host: undefined, isAdmitted: true };
}
