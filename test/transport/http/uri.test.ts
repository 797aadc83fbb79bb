import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { parseUri, tryParseHost } from "../../../src/transport/http/uri.ts";

describe("a URI", () => {
  const cases: readonly [string, string | null, string | null, number | null][] = [
    ["https://example.com", "https", "example.com", 443],
    ["http://example.com", "http", "example.com", 80],
    ["HTTP://Example.COM", "http", "Example.COM", 80],
    ["wss://example.com", "wss", "example.com", 443],
    ["ws://example.com:81", "ws", "example.com", 81],
    ["app+x.y-z://example.com", "app+x.y-z", "example.com", null],
    ["//example.com", null, "example.com", null],
    ["//example.com:888", null, "example.com", 888],
    ["https://example.com:8443/path?query#fragment", "https", "example.com", 8443],
    ["https://example.com:", "https", "example.com", 443],
    ["https://example.com?x", "https", "example.com", 443],
    ["https://user:pass@example.com", "https", "example.com", 443],
    ["https://example.com@evil.com", "https", "evil.com", 443],
    ["https://a@b@evil.com:1", "https", "evil.com", 1],
    ["http://[::1]:4000", "http", "::1", 4000],
    ["http://[::1]", "http", "::1", 80],
    ["http://[localhostx", "http", "[localhostx", 80],
    ["http://localhost:80x", "http", null, 80],
    ["http://localhost:1:2", "http", null, 80],
    ["http://::1", "http", null, 80],
    ["file://", "file", null, null],
    ["file:///etc", "file", null, null],
    ["null", null, null, null],
    ["", null, null, null],
    ["garbage", null, null, null],
    ["example.com", null, null, null],
    ["localhost:4000", "localhost", null, null],
    ["constructor://x", "constructor", "x", null],
  ];
  for (const [text, scheme, host, port] of cases) {
    it(`${JSON.stringify(text)} is read as Elixir reads it`, () => {
      assert.deepEqual(parseUri(text), { scheme, host, port });
    });
  }

  it("never throws, and has a host or null, whatever the text", () => {
    const pieces = fc.constantFrom("http", "://", "//", ":", "@", "[", "]", "/", "?", "a.b", "80");
    const texts = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.webUrl(),
      fc.array(pieces).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const { host, port } = parseUri(text);
        assert.ok(host === null || (host !== "" && text.includes(host)));
        assert.ok(port === null || port >= 0);
      }),
    );
  });

  it("has the host and port that URL returns, for any URL", () => {
    const urls = fc.webUrl({ authoritySettings: { withPort: true, withUserInfo: true } });
    fc.assert(
      fc.property(urls, (text) => {
        const { hostname, port, protocol } = new URL(text);
        const parsed = parseUri(text);
        assert.equal(parsed.host?.toLowerCase(), hostname);
        assert.equal(parsed.port, Number(port || (protocol === "http:" ? 80 : 443)));
      }),
    );
  });
});

describe("a Host header", () => {
  it("is a host, with or without a port", () => {
    assert.deepEqual(tryParseHost("example.com"), { host: "example.com", port: null });
    assert.deepEqual(tryParseHost("example.com:4000"), { host: "example.com", port: 4000 });
    assert.deepEqual(tryParseHost("[::1]:4000"), { host: "::1", port: 4000 });
    for (const none of ["", ":80", "[]", "a:b", "a:1:2"])
      assert.equal(tryParseHost(none), undefined);
  });
});
