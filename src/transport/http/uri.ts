/**
 * Parses URIs as Elixir does: the scheme is lower-cased, the host is not.
 *
 * Runs on: any thread. Pure.
 */

/** The scheme of a request. */
export type HttpScheme = "http" | "https";

/** The parts of a URI that make up its origin. Missing parts are null. */
export interface UriParts {
  readonly scheme: string | null;
  /** The host, without the brackets of an IPv6 address. */
  readonly host: string | null;
  /** The given port, or the scheme's default. */
  readonly port: number | null;
}

/** A host, with the port if one was given. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number | null;
}

const URI = /^(?:([a-z][a-z\d+.-]*):)?(?:\/\/([^/?#]*))?/i;
const HOST_AND_PORT = /^(\[[\da-z:.]*\]|[^:]*)(?::(\d*))?$/i;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443 };

/** Parses a URI. Never throws: if the text is not a URI, the host is null. */
export function parseUri(text: string): UriParts {
  const [, givenScheme, authority = ""] = URI.exec(text) ?? [];
  const scheme = givenScheme?.toLowerCase() ?? null;
  const own = tryParseHost(authority.slice(authority.lastIndexOf("@") + 1));
  const port = own?.port ?? defaultPortOf(scheme);
  return { scheme, host: own?.host ?? null, port };
}

/** Parses a `Host` header, with or without a port. Returns undefined if there is no host. */
export function tryParseHost(text: string): HostAndPort | undefined {
  const [, host = "", digits = ""] = HOST_AND_PORT.exec(text) ?? [];
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  if (bare === "") return undefined;
  return { host: bare, port: digits === "" ? null : Number(digits) };
}

/**
 * Returns a host as browsers write it in an `Origin`: in lower case, with non-ASCII names in Punycode, and
 * IP addresses in their usual form. Returns undefined if it cannot be the host of a page.
 */
export function browserHostOf(host: string): string | undefined {
  const isIPv6 = host.includes(":");
  try {
    const { hostname } = new URL(`http://${isIPv6 ? `[${host}]` : host}`);
    return isIPv6 ? hostname.slice(1, -1) : hostname;
  } catch {
    return undefined;
  }
}

/** Returns the default port of a scheme, or null. */
export function defaultPortOf(scheme: string | null): number | null {
  return scheme !== null && Object.hasOwn(DEFAULT_PORTS, scheme)
    ? (DEFAULT_PORTS[scheme] as number)
    : null;
}
