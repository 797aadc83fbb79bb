/**
 * URIs, as Elixir reads them: of scheme, host and port only the scheme is lower-cased.
 *
 * Runs on: any thread. Pure.
 */

/** The parts of a URI that say whose it is. What is not there is null. */
export interface UriParts {
  readonly scheme: string | null;
  /** Without the brackets of an IPv6 address. */
  readonly host: string | null;
  /** As given, or that of the scheme. */
  readonly port: number | null;
}

/** A host, and the port that was given with it. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number | null;
}

const URI = /^(?:([a-z][a-z\d+.-]*):)?(?:\/\/([^/?#]*))?/i;
const HOST_AND_PORT = /^(\[[\da-z:.]*\]|[^:]*)(?::(\d*))?$/i;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443 };

/** Parses a URI. Never throws: what is none has no host. */
export function parseUri(text: string): UriParts {
  const [, givenScheme, authority = ""] = URI.exec(text) ?? [];
  const scheme = givenScheme?.toLowerCase() ?? null;
  const own = tryParseHost(authority.slice(authority.lastIndexOf("@") + 1));
  const port = own?.port ?? defaultPortOf(scheme);
  return { scheme, host: own?.host ?? null, port };
}

/** Parses a host with or without a port, as a `Host` header has it; undefined: there is none. */
export function tryParseHost(text: string): HostAndPort | undefined {
  const [, host = "", digits = ""] = HOST_AND_PORT.exec(text) ?? [];
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  if (bare === "") return undefined;
  return { host: bare, port: digits === "" ? null : Number(digits) };
}

/** Gives the port that a scheme implies, or null. */
export function defaultPortOf(scheme: string | null): number | null {
  return scheme !== null && Object.hasOwn(DEFAULT_PORTS, scheme)
    ? (DEFAULT_PORTS[scheme] as number)
    : null;
}
