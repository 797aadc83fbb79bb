/**
 * What proxies say about the client of a request: `X-Forwarded-For`, `-Proto` and `-Host`, and `Forwarded` (RFC 7239).
 *
 * Each proxy appends to a list, so the last entry is that of the nearest proxy, and the first ones may have been sent by
 * the client itself. So lists are read from the end, and only as far as the proxies are trusted. What comes before,
 * malformed or not, has no effect on what follows it.
 *
 * Runs on: shard. Pure.
 */

import { isIP } from "node:net";

import { tryParseHost, type HttpScheme } from "./uri.ts";

/** One proxy's word about the request that it got. What it does not say is undefined. */
export interface Hop {
  /** Address of whoever sent the request to the proxy; null if it hides it, or the form is not known. */
  readonly address: string | null | undefined;
  readonly scheme: HttpScheme | undefined;
  /** Host that was asked for, with the port if one was given. */
  readonly host: string | undefined;
}

/** Schemes that proxies write, some of them those of WebSockets. */
const SCHEMES: Readonly<Record<string, HttpScheme>> = {
  http: "http",
  https: "https",
  ws: "http",
  wss: "https",
};

/** An address, with brackets or a port: of IPv6, a port only follows brackets (RFC 7239 §6). */
const NODE = /^(?:\[([^\]]*)\]|([^:]*))(?::(?:\d{1,5}|_[\w.-]+))?$/;
/** What a host may consist of. Others would not survive in a URI. */
const HOST = /^[\w.~%:[\]-]+$/;
/** `name=value` of a `Forwarded`. Proxies need no escapes in quotes, so values with some are not read. */
const PAIR = /^([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~-]+)|"([^"\\]*)")$/;

const MALFORMED: Hop = { address: null, scheme: undefined, host: undefined };

/** Returns an address without its brackets and port; undefined for "", and null for others, such as `unknown`, `_hidden`. */
function addressOf(text: string): string | null | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  const [, inBrackets, bare] = NODE.exec(trimmed) ?? [];
  const address = isIP(trimmed) === 0 ? (inBrackets ?? bare ?? "") : trimmed;
  const version = isIP(address);
  // A zone is a name of the proxy's own network interface.
  if (version === 0 || address.includes("%")) return null;
  return inBrackets !== undefined && version !== 6 ? null : address;
}

function trySchemeOf(text: string | undefined): HttpScheme | undefined {
  const name = text?.trim().toLowerCase() ?? "";
  return Object.hasOwn(SCHEMES, name) ? SCHEMES[name] : undefined;
}

function tryHostOf(text: string | undefined): string | undefined {
  const host = text?.trim() ?? "";
  return HOST.test(host) && tryParseHost(host) ? host : undefined;
}

/**
 * A comma within quotes separates no entries.
 *
 * @yields the entries of a list from the last to the first
 */
function* fromEnd(list: string, hasQuotes: boolean): Generator<string, undefined> {
  let end = list.length;
  let isQuoted = false;
  for (let at = end - 1; at >= 0; at -= 1) {
    const character = list[at];
    if (hasQuotes && character === '"') isQuoted = !isQuoted;
    if (character !== "," || isQuoted) continue;
    yield list.slice(at + 1, end);
    end = at;
  }
  yield list.slice(0, end);
}

/**
 * Reads `X-Forwarded-*`. Proxies that overwrite `-Proto` or `-Host` leave one entry for all hops, so the first entry
 * counts for all that are further away.
 *
 * @yields the hops, the nearest first
 */
export function* hopsOfXForwarded(
  addresses: string | undefined,
  protos: string | undefined,
  hosts: string | undefined,
): Generator<Hop, undefined> {
  const [scheme, host] = [fromEnd(protos ?? "", false), fromEnd(hosts ?? "", false)];
  let hop: Hop = { address: undefined, scheme: undefined, host: undefined };
  for (const text of fromEnd(addresses ?? "", false)) {
    const [proto, name] = [scheme.next(), host.next()];
    hop = {
      address: addressOf(text),
      scheme: proto.done === true ? hop.scheme : trySchemeOf(proto.value),
      host: name.done === true ? hop.host : tryHostOf(name.value),
    };
    yield hop;
  }
}

/**
 * Reads `Forwarded`. A malformed element hides the address.
 *
 * @yields the hops, the nearest first
 */
export function* hopsOfForwarded(elements: string): Generator<Hop, undefined> {
  for (const element of fromEnd(elements, true)) yield hopOf(element);
}

function hopOf(element: string): Hop {
  const values = new Map<string, string>();
  // A semicolon within quotes makes the element malformed: neither addresses nor hosts have any.
  for (const text of element.split(";")) {
    const [, name, token, quoted] = PAIR.exec(text.trim()) ?? [];
    const key = name?.toLowerCase();
    if (key === undefined || values.has(key)) return MALFORMED;
    values.set(key, token ?? quoted ?? "");
  }
  return {
    address: values.has("for") ? (addressOf(values.get("for") ?? "") ?? null) : undefined,
    scheme: trySchemeOf(values.get("proto")),
    host: tryHostOf(values.get("host")),
  };
}
