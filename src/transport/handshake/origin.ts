/**
 * The origin check: which pages may connect, according to a mount's `checkOrigin`.
 *
 * A browser opens a WebSocket for any page and sends the user's cookies along, so without this
 * check any page could act as the user. It also sends the page's `Origin`. Clients without an
 * `Origin` are not web pages, and are accepted. There is one exception: what a page loads as an image, script or frame, or
 * fetches with the mode `no-cors`, is a GET without an `Origin`. Such a page cannot be checked, and is refused if the
 * browser says that it belongs to another site or origin (`Sec-Fetch-Site`).
 *
 * Runs on: shard; one policy for each transport of each mount.
 */

import { invalid, shown } from "../../definition-checks.ts";
import { kindOf, makeError } from "../../errors.ts";
import { headerOf, hostOf, type HeadWants, type RequestHead } from "../http/request-head.ts";
import {
  browserHostOf,
  defaultPortOf,
  parseUri,
  tryParseHost,
  type UriParts,
} from "../http/uri.ts";

/** The origin of a request, as text and parsed. `null` and `file://` have no host. */
export interface Origin extends UriParts {
  readonly text: string;
}

/**
 * Which pages may connect.
 *
 * - `true`: pages of the endpoint's `urlHost`, with any scheme and port
 * - `false`: all pages; `checkCsrf` must then be true
 * - a list: pages of these origins, such as `"https://example.com"`, `"//localhost:4000"` or
 *   `"//*.example.com"` (which includes `example.com`); scheme and port are compared if they are given
 * - `"conn"`: pages of the scheme, host and port to which the request was sent, as trusted proxies
 *   (`trustProxy`) forward them
 * - a function: pages for which it returns true
 */
export type CheckOrigin = boolean | "conn" | readonly string[] | ((origin: Origin) => boolean);

/** The header in which a browser says whose page has caused a request. */
export const SITE_HEADER = "sec-fetch-site";
/** Its values for pages of another origin. The others are `same-origin`, and `none` for what the user has typed in. */
const OTHER_SITES: readonly string[] = ["cross-site", "same-site"];

type Match = (origin: Origin, head: RequestHead) => boolean;

const WILDCARD = "*.";
const MAX_PORT = 65_535;
/** Schemes of pages. Other schemes, such as `chrome-extension`, have rules of their own for hosts. */
const PAGE_SCHEMES: readonly string[] = ["http", "https"];
/** Schemes that are never in an `Origin`: for a WebSocket too, it has the scheme of the page. */
const SOCKET_SCHEMES: readonly string[] = ["ws", "wss"];

/** A parsed `checkOrigin`. */
export class OriginPolicy {
  readonly #match: Match | undefined;
  /** The parts of a head that the check needs. */
  readonly wants: Partial<HeadWants>;

  /**
   * @param subject - the name for error messages, such as `checkOrigin of /socket`
   * @param urlHost - host of the endpoint's own pages; null: any
   * @throws SIM_ERR_DEFINITION_INVALID if `given` has none of the allowed forms, or has an entry that
   *   matches no page
   */
  constructor(subject: string, given: CheckOrigin, urlHost: string | null) {
    this.#match = matchOf(subject, given, urlHost);
    if (!this.#match) this.wants = {};
    else if (given !== "conn") this.wants = { names: new Set(["origin", SITE_HEADER]) };
    else this.wants = { names: new Set(["origin", SITE_HEADER, "host"]), isTargetWanted: true };
  }

  /**
   * Reports whether a request may connect.
   *
   * @throws whatever a `checkOrigin` function throws; SIM_ERR_BAD_RESULT if it does not return a
   *   boolean
   */
  allows(head: RequestHead): boolean {
    if (!this.#match) return true;
    const text = headerOf(head, "origin");
    if (text === undefined) return !OTHER_SITES.includes(headerOf(head, SITE_HEADER) ?? "");
    return this.#match({ text, ...parseUri(text) }, head);
  }
}

function matchOf(subject: string, given: unknown, urlHost: string | null): Match | undefined {
  if (given === false) return undefined;
  if (given === true) return ({ host }) => host !== null && (urlHost ?? host) === host;
  if (given === "conn") return isOwn;
  if (Array.isArray(given)) {
    // Every page would get 403, while clients that are no browsers could connect.
    if (given.length === 0) throw invalid(`${subject} must have at least one origin, got none`);
    const entries = given.map((entry: unknown) => parseEntry(subject, entry));
    return (origin) => entries.some((entry) => isMatch(origin, entry));
  }
  if (typeof given === "function") return (origin) => resultOf(given(origin));
  const forms = 'true, false, "conn", a list of origins or a function';
  throw invalid(`${subject} must be ${forms}, got ${shown(given)}`);
}

function isOwn(origin: Origin, head: RequestHead): boolean {
  const own = tryParseHost(hostOf(head));
  if (!own || origin.host !== own.host) return false;
  const { scheme } = head;
  return origin.scheme === scheme && origin.port === (own.port ?? defaultPortOf(scheme));
}

function parseEntry(subject: string, entry: unknown): UriParts {
  const parsed = parseUri(typeof entry === "string" ? entry : "");
  const { host } = parsed;
  const name = host?.startsWith(WILDCARD) ? host.slice(WILDCARD.length) : host;
  // In any other place, a star would be taken literally and match no host.
  if (name !== null && name !== "" && !name.includes("*")) {
    checkMatchable(subject, String(entry), parsed, name);
    return parsed;
  }
  const forms = '"https://example.com", "//example.com:4000" or "//*.example.com"';
  throw invalid(`${subject} must have entries with a host, as in ${forms}, got ${shown(entry)}`);
}

/** Refuses an entry that equals no `Origin` of a browser, since every page would get 403. */
function checkMatchable(
  subject: string,
  entry: string,
  { scheme, port }: UriParts,
  host: string,
): void {
  const got = `got ${shown(entry)}`;
  if (scheme !== null && SOCKET_SCHEMES.includes(scheme)) {
    const pages = scheme.replace("ws", "http");
    throw invalid(`${subject} must have schemes of pages, such as ${pages} for ${scheme}, ${got}`);
  }
  if (port !== null && (port < 1 || port > MAX_PORT)) {
    throw invalid(`${subject} must have ports from 1 to ${MAX_PORT}, ${got}`);
  }
  if (scheme === null || PAGE_SCHEMES.includes(scheme)) {
    checkBrowserHost(`${subject} must have each host`, host, got);
  } else if (!/^[\x21-\x7e]+$/.test(host)) {
    throw invalid(`${subject} must have hosts in ASCII without blanks, ${got}`);
  }
}

/**
 * Checks that a host is written as browsers write it.
 *
 * @param got - what was given, for the message
 * @throws SIM_ERR_DEFINITION_INVALID if it is not
 */
export function checkBrowserHost(subject: string, host: string, got: string): void {
  const known = browserHostOf(host);
  if (known === host) return;
  const form = known === undefined ? "that a page can have" : `as browsers write it (${known})`;
  throw invalid(`${subject} ${form}, ${got}`);
}

function isMatch(origin: Origin, entry: UriParts): boolean {
  return (
    (entry.scheme ?? origin.scheme) === origin.scheme &&
    (entry.port ?? origin.port) === origin.port &&
    isHostMatch(origin.host, entry.host)
  );
}

function isHostMatch(host: string | null, wanted: string | null): boolean {
  if (host === null || wanted === null) return false;
  if (!wanted.startsWith(WILDCARD)) return host === wanted;
  return host === wanted.slice(WILDCARD.length) || host.endsWith(wanted.slice(1));
}

// A promise would be truthy, so anything but a boolean is an error.
function resultOf(result: unknown): boolean {
  if (typeof result === "boolean") return result;
  const message = `checkOrigin must return true or false, got ${kindOf(result)}`;
  throw makeError("SIM_ERR_BAD_RESULT", message);
}
