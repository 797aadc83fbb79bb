import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { CookieSessionReader } from "../../../src/transport/handshake/cookie-session.ts";
import type { Session, SessionSource } from "../../../src/transport/handshake/cookie-session.ts";
import { headWith } from "../../support/head.ts";
import {
  PLUG_COOKIE,
  PLUG_COOKIE_NAME,
  PLUG_CSRF_TOKEN,
  PLUG_SALT,
  PLUG_SECRET,
  PLUG_SESSION,
  PLUG_STATE,
} from "../../support/plug-session.ts";

const SOURCE = { key: PLUG_COOKIE_NAME, signingSalt: PLUG_SALT };
const PROVEN = { _csrf_token: PLUG_CSRF_TOKEN };
const COOKIE = `${PLUG_COOKIE_NAME}=${PLUG_COOKIE}`;

/** Reads the session of a request with a `Cookie` header. */
function read(
  cookie: string | undefined,
  params: object = PROVEN,
  given: { source?: SessionSource; checkCsrf?: boolean; secretKeyBase?: string } = {},
): Session | null {
  const { source = SOURCE, checkCsrf = true, secretKeyBase = PLUG_SECRET } = given;
  const reader = new CookieSessionReader("session", source, checkCsrf);
  const head = cookie === undefined ? headWith() : headWith(["cookie", cookie]);
  return reader.read({ head, params: params as Record<string, unknown>, secretKeyBase });
}

function refused(source: unknown, code: string, message: RegExp): void {
  assert.throws(() => new CookieSessionReader("session", source as never, true), { code, message });
}

describe("a session", () => {
  it("is read from the cookie, with the page's CSRF token", () => {
    assert.deepEqual(read(COOKIE), PLUG_SESSION);
  });

  it("is found among other cookies; the first one with its name counts", () => {
    assert.deepEqual(read(`a=1; ${COOKIE}; b=${PLUG_COOKIE_NAME}=x`), PLUG_SESSION);
    assert.deepEqual(read(`a;;=;  ${COOKIE}  `), PLUG_SESSION);
    assert.deepEqual(read(`${COOKIE}; ${PLUG_COOKIE_NAME}=other`), PLUG_SESSION);
    assert.equal(read(`${PLUG_COOKIE_NAME}=other; ${COOKIE}`), null);
    assert.equal(read(`x${COOKIE}`), null);
  });

  it("is null without a cookie, or with one that is not the application's", () => {
    for (const cookie of [undefined, "", "a=1", PLUG_COOKIE_NAME, `${PLUG_COOKIE_NAME}=`]) {
      assert.equal(read(cookie), null);
    }
    assert.equal(read(`${COOKIE}A`), null);
    assert.equal(read(COOKIE, PROVEN, { secretKeyBase: "x".repeat(64) }), null);
    assert.equal(read(COOKIE, PROVEN, { source: { ...SOURCE, signingSalt: "other" } }), null);
  });

  it("is null without the token, because the browser sends the cookie for any page", () => {
    for (const params of [
      {},
      { _csrf_token: "" },
      { _csrf_token: [PLUG_CSRF_TOKEN] },
      { _csrf_token: PLUG_STATE },
      { csrf_token: PLUG_CSRF_TOKEN },
    ]) {
      assert.equal(read(COOKIE, params), null);
    }
    const elsewhere = { ...SOURCE, csrfTokenKey: "other" };
    assert.equal(read(COOKIE, PROVEN, { source: elsewhere }), null);
    const inherited = { ...SOURCE, csrfTokenKey: "toString" };
    assert.equal(read(COOKIE, PROVEN, { source: inherited }), null);
  });

  it("needs no token if checkCsrf is off", () => {
    assert.deepEqual(read(COOKIE, {}, { checkCsrf: false }), PLUG_SESSION);
  });

  it("may belong to an application whose secret is not the server's", () => {
    const source = { ...SOURCE, secretKeyBase: PLUG_SECRET };
    assert.deepEqual(read(COOKIE, PROVEN, { source, secretKeyBase: "x".repeat(64) }), PLUG_SESSION);
  });

  it("may be in a store, which a function reads", () => {
    const kept: Session = { csrf: PLUG_STATE, user: "ann" };
    const store = (cookie: string): Session | null => (cookie === "42" ? kept : null);
    const source = { key: "sid", csrfTokenKey: "csrf", store };
    assert.equal(read("sid=42", PROVEN, { source }), kept);
    assert.equal(read("sid=42", {}, { source }), null);
    assert.equal(read("sid=43", PROVEN, { source }), null);
  });

  it("throws if the store returns neither an object nor null", () => {
    for (const [result, got] of [
      [undefined, "undefined"],
      ["x", "string"],
      [Promise.resolve(null), "object"],
    ] as const) {
      const source = { key: "sid", store: (() => result) as never };
      assert.throws(() => read("sid=1", {}, { source }), {
        code: "SIM_ERR_BAD_RESULT",
        message: `store of a session must return an object or null, got ${got}`,
      });
    }
  });

  it("refuses invalid options when it is defined", () => {
    const definition = "SIM_ERR_DEFINITION_INVALID";
    refused({ signingSalt: "x" }, definition, /must have the cookie's name as key, got undefined$/);
    refused(null, definition, /must have the cookie's name as key, got undefined$/);
    refused({ key: "x", store: 1 }, definition, /^store of .* must be a function, got number$/);
    refused(
      { key: "x", store: () => null, signingSalt: "x" },
      definition,
      /may only have the keys key, csrfTokenKey, store, got signingSalt$/,
    );
    refused({ key: "x" }, "SIM_ERR_OPTION_INVALID", /^signingSalt must be a string/);
    refused({ ...SOURCE, sameSite: "Lax" }, "SIM_ERR_OPTION_INVALID", /got sameSite$/);
    refused({ ...SOURCE, secretKeyBase: "short" }, "SIM_ERR_OPTION_INVALID", /^secretKeyBase must/);
  });
});
