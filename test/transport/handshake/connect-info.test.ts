import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Logger } from "../../../src/log/logger.ts";
import type { ConnectInfo } from "../../../src/socket/connect-request.ts";
import { ConnectInfoPlan } from "../../../src/transport/handshake/connect-info.ts";
import type { ConnectInfoRequest } from "../../../src/transport/handshake/connect-info.ts";
import type { RequestHead } from "../../../src/transport/http/request-head.ts";
import { headWith } from "../../support/head.ts";
import {
  PLUG_COOKIE,
  PLUG_COOKIE_NAME,
  PLUG_CSRF_TOKEN,
  PLUG_SALT,
  PLUG_SECRET,
  PLUG_SESSION,
} from "../../support/plug-session.ts";

const log: string[] = [];
const note = (_: object, text: string): void => void log.push(text);
const LOGGER = new Logger("debug", { debug: note, info: note, warn: note, error: note });

const HEAD = headWith(
  ["host", "example.com:4000"],
  ["user-agent", "test/1"],
  ["x-one", "1"],
  ["traceparent", "00-a"],
  ["x-two", "2"],
  ["sec-websocket-key", "k"],
  ["cookie", `${PLUG_COOKIE_NAME}=${PLUG_COOKIE}`],
  ["x-one", "again"],
  ["tracestate", "b"],
  ["authorization", "secret"],
);

function planFor(asked: ConnectInfoRequest, checkCsrf = true): ConnectInfoPlan {
  return new ConnectInfoPlan("connectInfo of /s", asked, checkCsrf);
}

function collected(asked: ConnectInfoRequest, head = HEAD): ConnectInfo {
  const params = { _csrf_token: PLUG_CSRF_TOKEN };
  const request = { head, params, authToken: "token", secretKeyBase: PLUG_SECRET };
  return planFor(asked).collect(request, LOGGER);
}

function headOfHttps(host: string): RequestHead {
  return { ...headWith(["host", host]), scheme: "https" };
}

function wantsOf(asked: ConnectInfoRequest): unknown[] {
  const { names, prefixes, isPeerWanted } = planFor(asked).wants;
  return [[...names], prefixes, isPeerWanted];
}

function broken(): never {
  throw new Error("boom");
}

function refused(asked: unknown, message: RegExp | string): void {
  const code = "SIM_ERR_DEFINITION_INVALID";
  assert.throws(() => planFor(asked as never), { code, message });
}

describe("connect info", () => {
  it("contains each kind that is requested", () => {
    const kinds: Record<string, unknown> = {
      peerData: { address: "127.0.0.1" },
      traceContextHeaders: [
        ["traceparent", "00-a"],
        ["tracestate", "b"],
      ],
      xHeaders: [
        ["x-one", "1"],
        ["x-two", "2"],
        ["x-one", "again"],
      ],
      uri: {
        scheme: "http",
        host: "example.com",
        port: 4000,
        path: "/socket/websocket",
        query: "vsn=2.0.0",
      },
      userAgent: "test/1",
      secWebsocketHeaders: [["sec-websocket-key", "k"]],
      authToken: "token",
    };
    for (const [name, value] of Object.entries(kinds)) {
      assert.deepEqual(collected([name as "uri"]), { [name]: value });
    }
    assert.deepEqual(collected(Object.keys(kinds) as "uri"[]), kinds);
  });

  it("is one shared empty object if nothing is requested", () => {
    assert.deepEqual(collected([]), {});
    assert.equal(collected([]), collected([]));
    assert.ok(Object.isFrozen(collected([])));
  });

  it("has empty lists and null for what a client does not send", () => {
    const bare = headWith();
    assert.deepEqual(collected(["userAgent", "xHeaders", "traceContextHeaders"], bare), {
      userAgent: null,
      xHeaders: [],
      traceContextHeaders: [],
    });
  });

  it("has the scheme of a server with a certificate, and its default port", () => {
    const { uri } = collected(["uri"], headOfHttps("example.com"));
    assert.deepEqual([uri?.scheme, uri?.host, uri?.port], ["https", "example.com", 443]);
    const given = collected(["uri"], headOfHttps("example.com:80")).uri;
    assert.equal(given?.port, 80);
  });

  it("has the port of http if the request has none", () => {
    const { uri } = collected(["uri"], headWith(["host", "example.com"]));
    assert.deepEqual([uri?.host, uri?.port], ["example.com", 80]);
    assert.equal(collected(["uri"], headWith(["host", "[::1]:81"])).uri?.host, "[::1]");
    assert.equal(collected(["uri"], headWith(["host", "[::1]"])).uri?.host, "[::1]");
  });

  it("contains the session, and other values unchanged", () => {
    const own = { any: "thing" };
    const session = { key: PLUG_COOKIE_NAME, signingSalt: PLUG_SALT };
    const info = collected(["userAgent", { session, own }, { number: 7 }]);
    assert.deepEqual(info, {
      userAgent: "test/1",
      session: PLUG_SESSION,
      own: { any: "thing" },
      number: 7,
    });
    assert.equal(info["own"], own);
  });

  it("never contains cookies or other headers", () => {
    const all = ["peerData", "xHeaders", "uri", "secWebsocketHeaders", "userAgent"] as const;
    const text = JSON.stringify(collected(all));
    assert.ok(!text.includes(PLUG_COOKIE) && !text.includes("secret"));
  });

  it("has a null session if the store throws, which is logged", () => {
    const request: ConnectInfoRequest = [{ session: { key: PLUG_COOKIE_NAME, store: broken } }];
    assert.deepEqual(collected(request), { session: null });
    assert.deepEqual(log.splice(0), ["the session store threw: connect gets no session"]);
  });

  it("wants only the parts of a head that it needs", () => {
    assert.deepEqual(wantsOf([]), [[], [], false]);
    assert.deepEqual(wantsOf(["authToken", { own: 1 }]), [[], [], false]);
    assert.deepEqual(wantsOf(["peerData"]), [[], [], true]);
    assert.deepEqual(wantsOf(["uri", "userAgent"]), [["host", "user-agent"], [], false]);
    assert.deepEqual(wantsOf(["xHeaders", "secWebsocketHeaders"]), [
      [],
      ["x-", "sec-websocket-"],
      false,
    ]);
    assert.deepEqual(wantsOf(["traceContextHeaders"]), [["traceparent", "tracestate"], [], false]);
    const session = { key: "x", signingSalt: "x" };
    assert.deepEqual(wantsOf([{ session }]), [["cookie"], [], false]);
  });

  it("refuses unknown kinds, and kinds as keys of objects", () => {
    refused("uri", "connectInfo of /s must be a list, got string");
    refused({ session: 1 }, "connectInfo of /s must be a list, got object");
    refused(["peer_data"], /^connectInfo of \/s must be a list of peerData, .*, got "peer_data"$/);
    refused(["toString"], /, got "toString"$/);
    refused([null], "connectInfo of /s must be a list of names and objects, got null");
    refused([["uri"]], "connectInfo of /s must be a list of names and objects, got array");
    refused(
      [{ uri: true }],
      "connectInfo of /s must list uri by name, got it as a key of an object",
    );
    refused([{ session: true }], /^session in connectInfo of \/s must have the cookie's name/);
  });
});
