/**
 * The cookie session of a web application, which its pages share with their connections.
 *
 * A cookie alone proves nothing, because the browser sends it for any page that connects here. So the
 * page must also send a CSRF token that belongs to the session, unless `checkCsrf` is off.
 *
 * A long-poll session is a different concept: a connection.
 *
 * Runs on: shard.
 */

import { checkFunction, checkKeys, invalid } from "../../definition-checks.ts";
import { kindOf, makeError } from "../../errors.ts";
import type { SessionOptions } from "../../token/token-options.ts";
import { Token } from "../../token/token.ts";
import { CSRF_PARAM, DEFAULT_CSRF_KEY, isCsrfTokenValid } from "./csrf.ts";
import { headersOf, type RequestHead } from "../http/request-head.ts";

/** The contents of a session. */
export type Session = Readonly<Record<string, unknown>>;

/** Sessions in signed or encrypted cookies, as written by Plug. */
export interface CookieSession extends Omit<SessionOptions, "secretKeyBase"> {
  /** Name of the cookie, such as `_my_app_key`. */
  readonly key: string;
  /** The application's secret; defaults to the server's. */
  readonly secretKeyBase?: string;
  /** The session's key for the CSRF state; defaults to `_csrf_token`. */
  readonly csrfTokenKey?: string;
}

/** Sessions in a store of the application. */
export interface StoredSession {
  readonly key: string;
  readonly csrfTokenKey?: string;
  /** Returns the session for a cookie's value, or null if there is no session. */
  readonly store: (cookie: string) => Session | null;
}

/** The source from which sessions are read. */
export type SessionSource = CookieSession | StoredSession;

/** A request that may have a session. */
export interface CookieSessionRequest {
  readonly head: RequestHead;
  readonly params: Readonly<Record<string, unknown>>;
  readonly secretKeyBase: string;
}

const STORED_KEYS: readonly string[] = ["key", "csrfTokenKey", "store"];
/** Placeholder for the server's secret, which is not known when an endpoint is defined. */
const ANY_SECRET = "x".repeat(64);

/** Reads the sessions of one source. */
export class CookieSessionReader {
  readonly #key: string;
  readonly #csrfKey: string | undefined;
  readonly #read: (cookie: string, secretKeyBase: string) => Session | null;

  /**
   * @param subject - the name for error messages
   * @param checkCsrf - whether the client must also send a CSRF token
   * @throws SIM_ERR_DEFINITION_INVALID if the key is missing; SIM_ERR_OPTION_INVALID for invalid cookie
   *   options
   */
  constructor(subject: string, source: SessionSource, checkCsrf: boolean) {
    if (typeof source !== "object" || source === null || typeof source.key !== "string") {
      const got = kindOf((source as { key?: unknown } | null)?.key);
      throw invalid(`${subject} must have the cookie's name as key, got ${got}`);
    }
    this.#key = source.key;
    this.#csrfKey = checkCsrf ? (source.csrfTokenKey ?? DEFAULT_CSRF_KEY) : undefined;
    this.#read = "store" in source ? storeOf(subject, source) : cookieReader(source);
  }

  /**
   * Returns the session of a request, or null.
   *
   * @throws whatever `store` throws
   */
  read({ head, params, secretKeyBase }: CookieSessionRequest): Session | null {
    const cookie = cookieOf(head, this.#key);
    if (cookie === undefined) return null;
    const session = this.#read(cookie, secretKeyBase);
    if (session === null || this.#csrfKey === undefined) return session;
    const state = Object.hasOwn(session, this.#csrfKey) ? session[this.#csrfKey] : undefined;
    return isCsrfTokenValid(state, params[CSRF_PARAM]) ? session : null;
  }
}

function cookieReader(source: CookieSession): (cookie: string, secret: string) => Session | null {
  const { key: _key, csrfTokenKey: _csrfTokenKey, secretKeyBase: own, ...options } = source;
  // Throws now if the options are invalid, instead of failing for every cookie.
  Token.verifySession(undefined, { ...options, secretKeyBase: own ?? ANY_SECRET });
  return (cookie, secretKeyBase) => {
    const read = Token.verifySession(cookie, { ...options, secretKeyBase: own ?? secretKeyBase });
    return read.ok ? read.data : null;
  };
}

function storeOf(subject: string, source: StoredSession): (cookie: string) => Session | null {
  const { store } = source;
  checkKeys(subject, source, STORED_KEYS);
  checkFunction(`store of ${subject}`, store);
  return (cookie) => {
    const session: unknown = store(cookie);
    if (session === null) return null;
    if (typeof session === "object" && !("then" in session)) return session as Session;
    const message = `store of a session must return an object or null, got ${kindOf(session)}`;
    throw makeError("SIM_ERR_BAD_RESULT", message);
  };
}

/** Returns the first cookie of this name, which has the longest path (RFC 6265 §5.4). */
function cookieOf(head: RequestHead, name: string): string | undefined {
  for (const header of headersOf(head, "cookie")) {
    for (const pair of header.split(";")) {
      const equals = pair.indexOf("=");
      if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return undefined;
}
