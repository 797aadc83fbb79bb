import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { EngineResponse } from "../../../src/transport/engine/app-port.ts";
import {
  headerOf,
  headersOf,
  listOf,
  readHead,
  WHOLE_HEAD,
} from "../../../src/transport/http/request-head.ts";
import type { HeadWants, RequestHead } from "../../../src/transport/http/request-head.ts";
import { headWith } from "../../support/head.ts";

const HEADERS: readonly (readonly [string, string])[] = [
  ["host", "x"],
  ["cookie", "secret"],
  ["x-a", "1"],
  ["origin", ""],
  ["x-a", "2"],
];

/** Reads a head from an engine that counts how often the peer's address is read. */
function read(
  wants: HeadWants,
  peer = "127.0.0.1",
): { readonly head: RequestHead; readonly peerCalls: number } {
  let peerCalls = 0;
  const response = {
    getRemoteAddressAsText: () => {
      peerCalls += 1;
      return new TextEncoder().encode(peer).buffer;
    },
  };
  const request = {
    getCaseSensitiveMethod: () => "GET",
    getUrl: () => "/org/a",
    getQuery: () => undefined,
    getParameter: () => "a",
    getHeader: (name: string) => (name === "connection" ? "close" : ""),
    forEach: (take: (name: string, value: string) => void) => {
      for (const [name, value] of HEADERS) take(name, value);
    },
  };
  const head = readHead(response as unknown as EngineResponse, request, ["org"], wants);
  return { head, peerCalls };
}

describe("the head of a request", () => {
  it("contains only the wanted parts", () => {
    const names = new Set(["host", "origin", "accept"]);
    const { head, peerCalls } = read({
      names,
      prefixes: [],
      isPeerWanted: false,
      isTargetWanted: false,
    });
    assert.deepEqual(head, {
      method: "GET",
      path: "/org/a",
      query: "",
      pathParams: { org: "a" },
      headers: [
        ["host", "x"],
        ["origin", ""],
      ],
      bodyBytes: 0,
      isFramed: true,
      isLast: true,
      peerAddress: "",
      scheme: "http",
      forwardedHost: undefined,
      isAdmitted: true,
    });
    assert.equal(peerCalls, 0);
    const prefixed = read({
      names: new Set(),
      prefixes: ["x-"],
      isPeerWanted: true,
      isTargetWanted: false,
    }).head;
    assert.deepEqual(prefixed.headers, [HEADERS[2], HEADERS[4]]);
    assert.equal(prefixed.peerAddress, "127.0.0.1");
  });

  it("is complete for routes", () => {
    const { head } = read(WHOLE_HEAD);
    assert.deepEqual(head.headers, HEADERS);
    assert.equal(head.peerAddress, "127.0.0.1");
  });

  it("is refused if the client's address is wanted, and the client is gone", () => {
    assert.equal(read(WHOLE_HEAD, "").head.isAdmitted, false);
    assert.equal(read({ ...WHOLE_HEAD, isPeerWanted: false }, "").head.isAdmitted, true);
  });

  it("distinguishes an empty header from a missing one, and the first from all", () => {
    const head = headWith(...HEADERS);
    assert.equal(headerOf(head, "origin"), "");
    assert.equal(headerOf(head, "accept"), undefined);
    assert.equal(headerOf(head, "x-a"), "1");
    assert.deepEqual(headersOf(head, "x-a"), ["1", "2"]);
    assert.deepEqual(headersOf(head, "accept"), []);
  });

  it("has lists with trimmed entries, none of them empty", () => {
    assert.deepEqual(listOf(" a,\tb ,, c"), ["a", "b", "c"]);
    assert.deepEqual(listOf(""), []);
  });
});
