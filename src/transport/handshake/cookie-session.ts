/**
 * The session of the application whose page connects: a cookie, and a CSRF token to prove the page.
 *
 * A cookie alone proves nothing: the browser sends it for any page that connects here. So without
 * a token that belongs to the session there is no session, unless `checkCsrf` is off.
 *
 * It has nothing to do with the session of a long-poll client, which is a connection.
 *
 * Runs on: shard.
 */

import { checkFunction, checkKeys, invalid } from "../../definition-checks.ts";
import { kindOf, makeError } from "../../errors.ts";
import type { SessionOptions } from "../../token/token-options.ts";
import { Token } from "../../token/token.ts";
import { CSRF_PARAM, DEFAULT_CSRF_KEY, isCsrfTokenValid } from "./csrf.ts";
import { headersOf, type RequestHead } from "../http/request-head.ts";

/** A session, by key. */
export type Session = Readonly<Record<string, unknown>>;

/** How the application keeps its sessions: in signed, or encrypted, cookies, as Plug does. */
export interface CookieSession extends Omit<SessionOptions, "secretKeyBase"> {
  /** Name of the cookie, as in `_my_app_key`. */
  readonly key: string;
  /** Secret of the application; the server's own without. */
  readonly secretKeyBase?: string;
  /** Key of the CSRF state within the session; `_csrf_token` without. */
  readonly csrfTokenKey?: string;
}

/** Sessions that are kept anywhere else. */
export interface StoredSession {
  readonly key: string;
  readonly csrfTokenKey?: string;
  /** Finds the session of a cookie's value; null: there is none. */
  readonly store: (cookie: string) => Session | null;
}

/** How sessions are found. */
export type SessionSource = CookieSession | StoredSession;

/** A request that may belong to a session. */
export interface CookieSessionRequest {
  readonly head: RequestHead;
  readonly params: Readonly<Record<string, unknown>>;
  readonly secretKeyBase: string;
}

const STORED_KEYS: readonly string[] = ["key", "csrfTokenKey", "store"];
/** Stands for the server's secret, which is not known where an endpoint is defined. */
const ANY_SECRET = "x".repeat(64);

/** Finds sessions in one way. */
export class CookieSessionReader {
  readonly #key: string;
  readonly #csrfKey: string | undefined;
  readonly #read: (cookie: string, secretKeyBase: string) => Session | null;

  /**
   * @param subject - what messages call it
   * @param checkCsrf - false: the cookie alone will do
   * @throws SIM_ERR_DEFINITION_INVALID without a key; SIM_ERR_OPTION_INVALID for what cannot be the
   *   application's options
   */
  constructor(subject: string, source: SessionSource, checkCsrf: boolean) {
    if (typeof source !== "object" || source === null || typeof source.key !== "string") {
      const got = kindOf((source as { key?: unknown } | null)?.key);
      throw invalid(`${subject} must have the cookie's name as its key, got ${got}`);
    }
    this.#key = source.key;
    this.#csrfKey = checkCsrf ? (source.csrfTokenKey ?? DEFAULT_CSRF_KEY) : undefined;
    this.#read = "store" in source ? storeOf(subject, source) : cookieReader(source);
  }

  /**
   * Gives the session of a request, or null.
   *
   * @throws what a `store` throws
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
  // Says at once what would be wrong with every cookie.
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

/** Gives a cookie by its name: the first, which is that of the longest path (RFC 6265 §5.4). */
function cookieOf(head: RequestHead, name: string): string | undefined {
  for (const header of headersOf(head, "cookie")) {
    for (const pair of header.split(";")) {
      const equals = pair.indexOf("=");
      if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return undefined;
}
