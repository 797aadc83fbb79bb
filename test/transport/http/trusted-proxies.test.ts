/**
 * The client of a request, as far as those who name it are trusted.
 *
 * Runs on: the test's thread; the engine's response is an object with two addresses.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EngineResponse } from "../../../src/transport/engine/app-port.ts";
import {
  ForwardedHeaders,
  TrustedProxies,
  type ProxyOptions,
  type RequestClient,
} from "../../../src/transport/http/trusted-proxies.ts";

const ALL = { isPeerWanted: true, isTargetWanted: true };
const PROXY = "10.0.0.1";
const FOR = "x-forwarded-for";

interface Connection {
  readonly peer?: string;
  /** Address of the PROXY header, as the engine reports it. */
  readonly proxied?: string;
  readonly secret?: string;
}

type Lines = readonly (readonly [name: string, value: string])[];

function bytesOf(text: string): ArrayBuffer {
  return new TextEncoder().encode(text).buffer;
}

function clientOf(options: ProxyOptions, lines: Lines, on: Connection = {}): RequestClient {
  const response = {
    getRemoteAddressAsText: () => bytesOf(on.peer ?? PROXY),
    getProxiedRemoteAddressAsText: () => bytesOf(on.proxied ?? ""),
  };
  const headers = new ForwardedHeaders();
  for (const [name, value] of lines) headers.read(name, value);
  const proxies = new TrustedProxies(options, "http", on.secret);
  const client = proxies.clientOf(response as unknown as EngineResponse, headers, ALL);
  return client ?? assert.fail("nothing is known");
}

function addressOf(options: ProxyOptions, lines: Lines, on?: Connection): string {
  return clientOf(options, lines, on).address;
}

/** Returns the address by one `X-Forwarded-For`, if everything in 10.0.0.0/8 is trusted. */
function addressBy(value: string): string {
  return addressOf({ trustProxy: ["10.0.0.0/8"] }, [[FOR, value]]);
}

/** Returns the client by `Forwarded`, if everything in 10.0.0.0/8 is trusted. */
function by(...values: string[]): RequestClient {
  const lines = values.map((value) => ["forwarded", value] as const);
  return clientOf({ trustProxy: ["10.0.0.0/8"] }, lines);
}

/** Returns the address by both kinds of headers. */
function both(x: string, forwarded: string): string {
  const lines: Lines = [
    [FOR, x],
    ["forwarded", forwarded],
  ];
  return addressOf({ trustProxy: 1 }, lines);
}

function target(options: ProxyOptions, ...lines: Lines): unknown[] {
  const { scheme, host } = clientOf(options, lines);
  return [scheme, host];
}

function refused(options: unknown, message: RegExp): void {
  const code = "SIM_ERR_DEFINITION_INVALID";
  assert.throws(() => new TrustedProxies(options as ProxyOptions, "http"), { code, message });
}

describe("The client of a request is", () => {
  it("the peer, whatever it says, if the peer is not trusted", () => {
    const lines: Lines = [
      [FOR, "192.0.2.1"],
      ["x-forwarded-proto", "https"],
      ["x-forwarded-host", "evil.com"],
      ["forwarded", "for=192.0.2.1;proto=https;host=evil.com"],
    ];
    const client = {
      address: "198.51.100.7",
      scheme: "http",
      host: undefined,
      isAdmitted: true,
    };
    const peer = "198.51.100.7";
    assert.deepEqual(clientOf({ trustProxy: [PROXY] }, lines, { peer }), client);
    assert.deepEqual(clientOf({ trustProxy: [] }, lines, { peer }), client);
  });

  it("whom a trusted proxy names, and of a list the last one that is not a trusted proxy", () => {
    assert.equal(addressBy("192.0.2.1"), "192.0.2.1");
    assert.equal(addressBy("6.6.6.6, 192.0.2.1"), "192.0.2.1");
    assert.equal(addressBy("6.6.6.6, 192.0.2.1 ,\t10.0.0.3,10.0.0.2"), "192.0.2.1");
    assert.equal(addressBy("10.0.0.4, 10.0.0.3"), "10.0.0.4");
  });

  it("read from several headers as from one list", () => {
    const lines: Lines = [
      [FOR, "6.6.6.6"],
      [FOR, "192.0.2.1, 10.0.0.3"],
      [FOR, "10.0.0.2"],
    ];
    assert.equal(addressOf({ trustProxy: ["10.0.0.0/8"] }, lines), "192.0.2.1");
  });

  it("as many proxies away as are trusted, or the first in the list if there are fewer", () => {
    const lines: Lines = [[FOR, "6.6.6.6, 192.0.2.1, 203.0.113.5"]];
    assert.equal(addressOf({ trustProxy: 1 }, lines), "203.0.113.5");
    assert.equal(addressOf({ trustProxy: 2 }, lines), "192.0.2.1");
    assert.equal(addressOf({ trustProxy: 2 }, [[FOR, "192.0.2.1"]]), "192.0.2.1");
    assert.equal(addressOf({ trustProxy: 32 }, lines), "6.6.6.6");
    assert.equal(addressOf({ trustProxy: 1 }, []), PROXY);
  });

  it("named with a port or brackets, which do not count", () => {
    for (const [text, address] of [
      ["192.0.2.1:40000", "192.0.2.1"],
      ["[2001:db8::1]:40000", "2001:db8::1"],
      ["[2001:db8::1]", "2001:db8::1"],
      ["2001:db8::1", "2001:db8::1"],
      ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ] as const) {
      assert.equal(addressBy(text), address, text);
    }
  });

  it("the nearest known address if the next one is hidden or malformed", () => {
    for (const text of [
      "unknown",
      "_hidden",
      "",
      "192.0.2.256",
      "192.0.2.1:port",
      "[192.0.2.1]",
      "[2001:db8::1",
      "2001:db8::1:4:5:6:7:8:9",
      "fe80::1%eth0",
      "192.0.2.1 192.0.2.2",
      "http://192.0.2.1",
      "<script>",
    ]) {
      assert.equal(addressBy(text), PROXY, text);
      assert.equal(addressBy(`6.6.6.6, ${text}, 10.0.0.2`), "10.0.0.2", text);
      // What is before the client's own address is the client's.
      assert.equal(addressBy(`${text}, 192.0.2.1`), "192.0.2.1", text);
    }
  });

  it("known by proxies in ranges of IPv4 and IPv6, also mapped ones", () => {
    const lines: Lines = [[FOR, "192.0.2.1"]];
    const isTrusted = (entry: string, peer: string): boolean =>
      addressOf({ trustProxy: [entry] }, lines, { peer }) === "192.0.2.1";
    for (const [entry, inside, outside] of [
      ["10.1.2.0/23", "10.1.3.255", "10.1.4.0"],
      ["10.1.2.3", "10.1.2.3", "10.1.2.4"],
      ["10.1.2.0/23", "0000:0000:0000:0000:0000:ffff:0a01:03ff", "::ffff:10.1.4.0"],
      ["2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"],
      ["::1", "0000:0000:0000:0000:0000:0000:0000:0001", "::2"],
      ["::ffff:10.0.0.0/104", "10.255.0.1", "11.0.0.1"],
      ["::ffff:10.0.0.1", "::ffff:0a00:0001", "10.0.0.2"],
    ] as const) {
      assert.equal(isTrusted(entry, inside), true, `${entry} ${inside}`);
      assert.equal(isTrusted(entry, outside), false, `${entry} ${outside}`);
    }
  });

  it("named by Forwarded as well", () => {
    assert.equal(by("for=192.0.2.1").address, "192.0.2.1");
    assert.equal(by('For="[2001:db8::1]:4711"').address, "2001:db8::1");
    assert.equal(by("for=6.6.6.6, for=192.0.2.1;by=10.0.0.9, for=10.0.0.2").address, "192.0.2.1");
    assert.equal(by("for=6.6.6.6", "for=192.0.2.1").address, "192.0.2.1");
    const { scheme, host } = by('proto=HTTPS ; host="example.com:8443"; for=192.0.2.1');
    assert.deepEqual([scheme, host], ["https", "example.com:8443"]);
    for (const hidden of ["for=unknown", "for=_a1", 'for="_b:_c"', "for=", "for=x;for=192.0.2.1"]) {
      assert.equal(by(hidden).address, PROXY, hidden);
    }
    const malformed = ["for", "for=a b", 'for="192.0.2.1', "for = 192.0.2.1", 'for="\\192.0.2.1"'];
    for (const text of malformed) {
      assert.equal(by(text).address, PROXY, text);
      // A client's quote must not swallow what its proxy appends.
      assert.equal(by(`${text}, for=192.0.2.1`).address, "192.0.2.1", text);
    }
    assert.equal(by('for="6.6.6.6, for=6.6.6.6", for=192.0.2.1').address, "192.0.2.1");
    assert.equal(by('for=192.0.2.1;more="a,b", for=10.0.0.2').address, "192.0.2.1");
    assert.deepEqual(by("for=_hidden;proto=https").scheme, "https");
  });

  it("named by both kinds of headers only if they agree", () => {
    assert.equal(both("192.0.2.1", "for=192.0.2.1"), "192.0.2.1");
    assert.equal(both("2001:db8::1", 'for="[2001:DB8:0::1]"'), "2001:db8::1");
    assert.equal(both("192.0.2.1", "for=6.6.6.6"), PROXY);
    assert.equal(both("192.0.2.1", "for=unknown"), PROXY);
    assert.equal(both("192.0.2.1", "proto=https"), "192.0.2.1");
  });
});

describe("The scheme and host of a request are", () => {
  it("those that a trusted proxy has forwarded", () => {
    const trusted = { trustProxy: 1 };
    for (const [proto, scheme] of [
      ["https", "https"],
      ["WSS", "https"],
      ["http", "http"],
      ["ws", "http"],
      ["ftp", "http"],
      ["", "http"],
      ["constructor", "http"],
    ] as const) {
      assert.deepEqual(target(trusted, ["x-forwarded-proto", proto]), [scheme, undefined], proto);
    }
    for (const host of ["example.com", "example.com:8443", "[2001:db8::1]:80"]) {
      assert.deepEqual(target(trusted, ["x-forwarded-host", host]), ["http", host]);
    }
    for (const host of ["", "a b", "user@host", "host/path", "a:b:c", "host?x", ":80"]) {
      assert.deepEqual(target(trusted, ["x-forwarded-host", host]), ["http", undefined], host);
    }
  });

  it("those of the client's own proxy, and not what the client has put before them", () => {
    const protos = ["x-forwarded-proto", "https, http"] as const;
    assert.deepEqual(target({ trustProxy: 1 }, [FOR, "6.6.6.6, 192.0.2.1"], protos)[0], "http");
    assert.deepEqual(target({ trustProxy: 2 }, [FOR, "192.0.2.1, 10.0.0.2"], protos)[0], "https");
    // One value for all hops, as most proxies write it.
    const one = ["x-forwarded-proto", "https"] as const;
    assert.deepEqual(target({ trustProxy: 2 }, [FOR, "192.0.2.1, 10.0.0.2"], one)[0], "https");
    const hosts = ["x-forwarded-host", "evil.com, example.com"] as const;
    assert.deepEqual(target({ trustProxy: 1 }, hosts)[1], "example.com");
  });

  it("the request's own if both kinds of headers contradict each other", () => {
    const lines: Lines = [
      ["x-forwarded-proto", "https"],
      ["x-forwarded-host", "example.com"],
      ["forwarded", "proto=http;host=example.com"],
    ];
    assert.deepEqual(target({ trustProxy: 1 }, ...lines), ["http", "example.com"]);
  });
});

describe("A PROXY header", () => {
  const proxied = "192.0.2.1";

  it("counts only with the option, and of a trusted peer", () => {
    const trustProxy = [PROXY];
    assert.equal(addressOf({ trustProxy }, [], { proxied }), PROXY);
    assert.equal(addressOf({ trustProxy, proxyProtocol: "v2" }, [], { proxied }), proxied);
    const peer = "198.51.100.7";
    assert.equal(addressOf({ trustProxy, proxyProtocol: "v2" }, [], { peer, proxied }), peer);
    assert.equal(addressOf({ trustProxy, proxyProtocol: "v2" }, []), PROXY);
  });

  it("names a proxy whose headers count if it is trusted too", () => {
    const options: ProxyOptions = { trustProxy: ["10.0.0.0/8"], proxyProtocol: "v2" };
    const lines: Lines = [[FOR, "203.0.113.5"]];
    assert.equal(addressOf(options, lines, { proxied: "10.0.0.9" }), "203.0.113.5");
    assert.equal(addressOf(options, lines, { proxied }), proxied);
  });
});

describe("A request of an attached server", () => {
  const secret = "s".repeat(43);
  const on = { peer: "127.0.0.1", proxied: "192.0.2.1", secret };
  const marked = (value: string): RequestClient => clientOf({}, [["simurgh-attached", value]], on);

  it("has the client and the scheme of the outer server", () => {
    const client = { address: "192.0.2.1", scheme: "http", host: undefined, isAdmitted: true };
    assert.deepEqual(marked(`${secret} http`), client);
    assert.deepEqual(marked(`${secret} https`), { ...client, scheme: "https" });
  });

  it("is not admitted without the secret", () => {
    for (const value of [
      "",
      "https",
      `${secret}x https`,
      `${"x".repeat(43)} https`,
      ` ${secret}`,
    ]) {
      assert.equal(marked(value).isAdmitted, false, value);
    }
    assert.equal(clientOf({}, [], on).isAdmitted, false);
    assert.equal(clientOf({ trustProxy: ["127.0.0.1"] }, [], on).isAdmitted, false);
  });

  it("can come through a proxy in front of the outer server", () => {
    const lines: Lines = [
      ["simurgh-attached", `${secret} http`],
      [FOR, "203.0.113.5"],
      ["x-forwarded-proto", "https"],
    ];
    const behind = (trustProxy: readonly string[] | number): unknown[] => {
      const { address, scheme } = clientOf({ trustProxy }, lines, on);
      return [address, scheme];
    };
    assert.deepEqual(behind(["192.0.2.1"]), ["203.0.113.5", "https"]);
    assert.deepEqual(behind(1), ["203.0.113.5", "https"]);
    assert.deepEqual(behind(["127.0.0.1"]), ["192.0.2.1", "http"]);
  });
});

describe("The options for proxies", () => {
  it("are addresses, ranges, or a number", () => {
    const list =
      /^trustProxy must be a list of addresses and CIDR ranges, or a number .* 1 to 32, got /;
    for (const trustProxy of [true, "10.0.0.1", 0, 33, 1.5, null, {}])
      refused({ trustProxy }, list);
    const entry = /^each entry of trustProxy must be an address or a CIDR range, such as .*, got /;
    for (const text of [
      "proxy.internal",
      "10.0.0.0/33",
      "::/129",
      "10.0.0.0/",
      "10.0.0.0/8/8",
      "10.0.0.0/-1",
      "fe80::1%eth0",
      "10.0.0.1:80",
      "",
      7,
    ]) {
      refused({ trustProxy: ["10.0.0.1", text] }, entry);
    }
  });

  it("include a PROXY header only of listed proxies", () => {
    const message = /^proxyProtocol must be combined with the addresses of the proxies/;
    for (const trustProxy of [undefined, 1, []])
      refused({ trustProxy, proxyProtocol: "v2" }, message);
    const version = /^proxyProtocol must be "v1" or "v2", got/;
    refused({ trustProxy: ["10.0.0.1"], proxyProtocol: "v3" }, version);
    refused({ trustProxy: ["10.0.0.1"], proxyProtocol: true }, version);
  });
});
