import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { OriginPolicy } from "../../../src/transport/handshake/origin.ts";
import type { CheckOrigin, Origin } from "../../../src/transport/handshake/origin.ts";
import { headWith } from "../../support/head.ts";

function policy(given: CheckOrigin, urlHost: string | null = "localhost"): OriginPolicy {
  return new OriginPolicy("checkOrigin of /socket", given, urlHost);
}

/** Reports whether a page of an origin may connect to a host. */
function allows(
  checked: OriginPolicy,
  origin: string,
  host = "localhost:4000",
  scheme: "http" | "https" = "http",
): boolean {
  return checked.allows({ ...headWith(["host", host], ["origin", origin]), scheme });
}

function assertAll(checked: OriginPolicy, expected: boolean, origins: readonly string[]): void {
  for (const origin of origins) assert.equal(allows(checked, origin), expected, origin);
}

function refused(given: unknown, message: RegExp): void {
  assert.throws(() => policy(given as never), { code: "SIM_ERR_DEFINITION_INVALID", message });
}

/** Matches the message that names the host as browsers write it. */
function hostMessage(known: string, got: string): RegExp {
  const text = `each host as browsers write it \\(${known}\\), got "${got}"`;
  return new RegExp(`^checkOrigin of /socket must have ${text}$`);
}

const WITHOUT_HOST = ["null", "", "garbage", "file://", "file:///x", "http://", "localhost"];

describe("checkOrigin", () => {
  it("accepts requests without an origin, in every form", () => {
    for (const given of [true, false, "conn", ["//a.com"], (): boolean => false] as const) {
      assert.equal(policy(given).allows(headWith(["host", "localhost"])), true);
    }
  });

  it("refuses what a page of another origin loads without telling its origin", () => {
    for (const given of [true, "conn", ["//a.com"], (): boolean => true] as const) {
      for (const [site, expected] of [
        ["cross-site", false],
        ["same-site", false],
        ["same-origin", true],
        ["none", true],
      ] as const) {
        const head = headWith(["host", "localhost"], ["sec-fetch-site", site]);
        assert.equal(policy(given).allows(head), expected, site);
      }
    }
    const known = headWith(["origin", "http://localhost"], ["sec-fetch-site", "cross-site"]);
    assert.equal(policy(true).allows(known), true);
  });

  it("accepts all requests and reads no header if it is false", () => {
    assertAll(policy(false), true, ["https://evil.com", ...WITHOUT_HOST]);
    assert.deepEqual(policy(false).wants, {});
  });

  it("compares only the host with the endpoint's if it is true", () => {
    const own = policy(true, "example.com");
    assertAll(own, true, ["https://example.com", "http://example.com:8080", "x://example.com"]);
    assertAll(own, false, [
      "https://evil.com",
      "https://sub.example.com",
      "https://example.com.evil.com",
      "https://example.comx",
      "https://prefix-example.com",
      "https://EXAMPLE.com",
      "https://localhost",
      "https://example.com@evil.com",
      "https://example.com:80:evil.com",
      ...WITHOUT_HOST,
    ]);
  });

  it("accepts any host if it is true and urlHost is null, but no origin without a host", () => {
    assertAll(policy(true, null), true, ["https://evil.com", "http://localhost:1"]);
    assertAll(policy(true, null), false, WITHOUT_HOST);
  });

  it("compares scheme and port if an entry of a list has them", () => {
    const listed = policy(["https://example.com", "//another.com:888", "http://third.com:8080"]);
    assertAll(listed, true, [
      "https://example.com",
      "https://example.com:443",
      "http://another.com:888",
      "https://another.com:888",
      "http://third.com:8080",
    ]);
    assertAll(listed, false, [
      "http://example.com",
      "https://example.com:8443",
      "http://example.com:443",
      "https://EXAMPLE.com",
      "https://sub.example.com",
      "https://prefix-example.com",
      "https://another.com",
      "http://another.com:8888",
      "http://third.com",
      "https://third.com:8080",
      ...WITHOUT_HOST,
    ]);
  });

  it("accepts the host itself and all its subdomains for a wildcard", () => {
    const wild = policy(["//*.example.com", "https://*.secure.org:444"]);
    assertAll(wild, true, [
      "http://example.com",
      "https://a.example.com:99",
      "http://a.b.example.com",
      "https://secure.org:444",
      "https://x.secure.org:444",
    ]);
    assertAll(wild, false, [
      "http://prefix-example.com",
      "http://evilexample.com",
      "http://example.com.evil.com",
      "http://example.org",
      "https://x.secure.org",
      "http://x.secure.org:444",
      ...WITHOUT_HOST,
    ]);
  });

  it("compares scheme, host and port with those of the request if it is conn", () => {
    const own = policy("conn");
    assert.deepEqual([...(own.wants.names ?? [])], ["origin", "sec-fetch-site", "host"]);
    assert.equal(own.wants.isTargetWanted, true);
    const cases: readonly [origin: string, host: string, expected: boolean][] = [
      ["http://localhost:4000", "localhost:4000", true],
      ["http://localhost:4001", "localhost:4000", false],
      ["http://127.0.0.1:4000", "localhost:4000", false],
      ["https://localhost:4000", "localhost:4000", false],
      ["ws://localhost:4000", "localhost:4000", false],
      ["http://example.com", "example.com", true],
      ["http://example.com:80", "example.com", true],
      ["http://example.com", "example.com:80", true],
      ["https://example.com", "example.com:443", false],
      ["http://[::1]:4000", "[::1]:4000", true],
      ["null", "", false],
      ["http://", "", false],
    ];
    for (const [origin, host, expected] of cases) {
      assert.equal(allows(own, origin, host), expected, `${origin} to ${host}`);
    }
    assert.equal(own.allows(headWith(["origin", "http://localhost"])), false);
  });

  it("compares with https if the server has a certificate", () => {
    const own = policy("conn");
    const cases: readonly [origin: string, host: string, expected: boolean][] = [
      ["https://localhost:4000", "localhost:4000", true],
      ["http://localhost:4000", "localhost:4000", false],
      ["https://example.com", "example.com", true],
      ["https://example.com", "example.com:443", true],
      ["https://example.com", "example.com:80", false],
      ["http://example.com", "example.com", false],
    ];
    for (const [origin, host, expected] of cases) {
      assert.equal(allows(own, origin, host, "https"), expected, `${origin} to ${host}`);
    }
  });

  it("calls a function, also for an origin without a host", () => {
    const seen: Origin[] = [];
    const asked = policy((origin) => {
      seen.push(origin);
      return origin.text === "null";
    });
    assert.equal(allows(asked, "null"), true);
    assert.equal(allows(asked, "https://example.com:1"), false);
    assert.deepEqual(seen, [
      { text: "null", scheme: null, host: null, port: null },
      { text: "https://example.com:1", scheme: "https", host: "example.com", port: 1 },
    ]);
  });

  it("throws if a function returns anything but a boolean, such as a promise", () => {
    for (const [result, got] of [
      [Promise.resolve(false), "object"],
      [undefined, "undefined"],
      [1, "number"],
    ] as const) {
      assert.throws(() => allows(policy((() => result) as never), "http://x"), {
        code: "SIM_ERR_BAD_RESULT",
        message: `checkOrigin must return true or false, got ${got}`,
      });
    }
  });

  it("uses the first of several origins", () => {
    const head = headWith(["origin", "http://localhost"], ["origin", "http://evil.com"]);
    assert.equal(policy(true).allows(head), true);
    assert.equal(policy(true).allows({ ...head, headers: head.headers.toReversed() }), false);
  });

  it("refuses entries without a host, or with a star anywhere but in front of it", () => {
    const message = /^checkOrigin of \/socket must have entries with a host, as in .*, got (.*)$/;
    const wrong = [
      "example.com",
      "localhost:4000",
      "",
      "https://",
      "null",
      "//*",
      "//*.",
      "*.x.com",
    ];
    for (const entry of [...wrong, "//a.*.com", "//x*.com", "//*.*.com", 7, null]) {
      refused(["https://fine.com", entry], message);
    }
    for (const given of ["example.com", null, 1, {}, undefined]) {
      refused(given, /^checkOrigin of \/socket must be true, false, "conn", a list .*, got /);
    }
    refused([], /^checkOrigin of \/socket must have at least one origin, got none$/);
  });

  it("refuses entries that equal no origin of a browser", () => {
    refused(
      ["https://fine.com", "https://Example.com"],
      hostMessage("example.com", "https://Example.com"),
    );
    refused(["//*.Example.com"], hostMessage("example.com", "//\\*.Example.com"));
    refused(
      ["https://bücher.example"],
      hostMessage("xn--bcher-kva.example", "https://bücher.example"),
    );
    refused(["https://example.com "], hostMessage("example.com", "https://example.com "));
    refused(["http://[::0:1]:4000"], hostMessage("::1", "http://\\[::0:1\\]:4000"));
    refused(["http://127.1"], hostMessage("127.0.0.1", "http://127.1"));
    refused(
      ["//ex ample.com"],
      /must have each host that a page can have, got "\/\/ex ample.com"$/,
    );
    refused(["//999.1.1.1"], /must have each host that a page can have, got/);
    const ws = /must have schemes of pages, such as (https?) for (wss?), got "\2:\/\/example.com"$/;
    refused(["wss://example.com"], ws);
    refused(["ws://example.com"], ws);
    refused(["//example.com:0"], /must have ports from 1 to 65535, got "\/\/example.com:0"$/);
    refused(["//example.com:65536"], /must have ports from 1 to 65535, got/);
    refused(["app://ä"], /must have hosts in ASCII without blanks, got "app:\/\/ä"$/);
  });

  it("accepts every other form of entry", () => {
    const listed = policy([
      "HTTPS://example.com/path",
      "//xn--bcher-kva.example",
      "//under_score.example.",
      "http://[::1]:4000",
      "//192.168.0.7:65535",
      "chrome-extension://Abc",
    ]);
    assertAll(listed, true, [
      "https://example.com",
      "https://xn--bcher-kva.example",
      "http://under_score.example.",
      "http://[::1]:4000",
      "https://192.168.0.7:65535",
      "chrome-extension://Abc",
    ]);
  });

  it("never throws, and accepts no foreign host, whatever the text", () => {
    const policies = [
      policy(true),
      policy("conn"),
      policy(["//localhost", "//*.localhost", "https://localhost:1"]),
    ];
    const texts = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.webUrl(),
      fc.tuple(fc.string(), fc.string()).map(([a, b]) => `http://${a}localhost${b}`),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const isAllowed = policies.some((each) => allows(each, text));
        // A host that a browser would read differently must not pass. Browsers send hosts as URL returns them.
        if (!isAllowed || !URL.canParse(text) || new URL(text).origin !== text) return;
        assert.match(new URL(text).hostname, /^(?:.*\.)?localhost$/);
      }),
      { numRuns: 1_000 },
    );
  });
});
