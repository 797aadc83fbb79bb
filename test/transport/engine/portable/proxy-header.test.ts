/**
 * PROXY headers as HAProxy's specification describes them, byte by byte.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { readProxyHeader } from "../../../../src/transport/engine/portable/proxy-header.ts";
import { proxyHeader } from "../../../../src/server/attachment/proxy-header.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const REST = "GET / HTTP/1.1\r\n";
const PORTS = "d43101bb";
const IPV4 = `c0000201c6336401${PORTS}`;
const IPV6 = `20010db800000000000000000000000120010db8000000000000000000000002${PORTS}`;

/** A header of version 2 in hexadecimal: version and command, family and protocol, length, and the rest. */
function v2(command: string, family: string, rest: string, bytes = rest.length / 2): Buffer {
  const length = bytes.toString(16).padStart(4, "0");
  return Buffer.from(`${SIGNATURE}${command}${family}${length}${rest}`, "hex");
}

function line(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

/** Returns the address that a header names, if the header is read whatever comes behind it, and not before its end. */
function addressIn(bytes: Buffer): string {
  const whole = { kind: "header", length: bytes.length };
  const read = readProxyHeader(Buffer.concat([bytes, line(REST)]), ["v1", "v2"]);
  assert.equal(read.kind, "header");
  const { address } = read as { readonly address: string };
  assert.deepEqual(read, { ...whole, address });
  for (let length = 0; length < bytes.length; length += 1) {
    const part = readProxyHeader(bytes.subarray(0, length), ["v1", "v2"]);
    assert.deepEqual(part, { kind: "incomplete" }, `${length} bytes`);
  }
  assert.deepEqual(readProxyHeader(bytes, ["v1", "v2"]), { ...whole, address });
  return address;
}

function kindOf(bytes: Buffer): string {
  return readProxyHeader(bytes, ["v1", "v2"]).kind;
}

describe("A PROXY header of version 2", () => {
  it("names a client of TCP", () => {
    assert.equal(addressIn(v2("21", "11", IPV4)), "192.0.2.1");
    assert.equal(addressIn(v2("21", "21", IPV6)), "2001:db8::1");
    const mapped = `00000000000000000000ffffc0000201${"00".repeat(16)}${PORTS}`;
    assert.equal(addressIn(v2("21", "21", mapped)), "192.0.2.1");
  });

  it("may have TLVs, which are skipped", () => {
    const tlvs = `03000412345678ea000c01${"61".repeat(11)}`;
    assert.equal(addressIn(v2("21", "11", `${IPV4}${tlvs}`)), "192.0.2.1");
    assert.equal(addressIn(v2("21", "11", `${IPV4}${"00".repeat(4_096 - 16 - 12)}`)), "192.0.2.1");
  });

  it("names nobody if the proxy speaks for itself, or the client has no address of TCP", () => {
    assert.equal(addressIn(v2("20", "00", "")), "");
    assert.equal(addressIn(v2("20", "11", IPV4)), "", "LOCAL, with an address to ignore");
    assert.equal(addressIn(v2("20", "ff", "")), "", "LOCAL, with a family to ignore");
    assert.equal(addressIn(v2("21", "00", "")), "", "unspecified");
    assert.equal(addressIn(v2("21", "00", "0102030405")), "", "unspecified, with bytes to skip");
    assert.equal(addressIn(v2("21", "31", "2f".repeat(216))), "", "a Unix socket");
    assert.equal(addressIn(v2("21", "12", IPV4)), "", "UDP");
    assert.equal(addressIn(v2("21", "10", IPV4)), "", "an unspecified protocol");
  });

  it("is invalid with another version, command, family or protocol, or too short or long", () => {
    for (const bytes of [
      v2("11", "11", IPV4),
      v2("31", "11", IPV4),
      v2("22", "11", IPV4),
      v2("21", "41", IPV4),
      v2("21", "13", IPV4),
      v2("21", "11", IPV4.slice(2)),
      v2("21", "21", IPV6.slice(2)),
      v2("21", "31", "2f".repeat(215)),
      v2("21", "11", IPV4, 4_096 - 15),
      v2("20", "00", "", 65_535),
    ]) {
      assert.equal(kindOf(bytes), "invalid", bytes.toString("hex"));
    }
  });

  it("is what an outer server writes", () => {
    assert.equal(addressIn(proxyHeader("198.51.100.7")), "198.51.100.7");
    assert.equal(addressIn(proxyHeader("2001:db8::7")), "2001:db8::7");
    assert.equal(addressIn(proxyHeader("::ffff:198.51.100.7")), "198.51.100.7");
  });
});

describe("A PROXY header of version 1", () => {
  it("names a client of TCP", () => {
    assert.equal(addressIn(line("PROXY TCP4 192.0.2.1 198.51.100.1 0 65535\r\n")), "192.0.2.1");
    assert.equal(addressIn(line("PROXY TCP6 2001:DB8:0::1 ::1 56324 443\r\n")), "2001:db8::1");
    const longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    assert.equal(addressIn(line(`PROXY TCP6 ${longest} ${longest} 65535 65535\r\n`)), longest);
  });

  it("names nobody if its client is unknown", () => {
    assert.equal(addressIn(line("PROXY UNKNOWN\r\n")), "");
    const rest = "x".repeat(107 - "PROXY UNKNOWN \r\n".length);
    assert.equal(addressIn(line(`PROXY UNKNOWN ${rest}\r\n`)), "");
  });

  it("is invalid in any other form", () => {
    for (const text of [
      "PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n",
      "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.1 -1 2\r\n",
      "PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
      "PROXY TCP4 192.0.2.1 ::1 1 2\r\n",
      "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
      "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
      "PROXY TCP4 192.0.2 198.51.100.1 1 2\r\n",
      "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
      "PROXY tcp4 192.0.2.1 198.51.100.1 1 2\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\nGET / HTTP/1.1\r\n",
      "PROXY UNKNOWNX\r\n",
      "PROXY \r\n",
      `PROXY UNKNOWN ${"x".repeat(92)}\r\n`,
      `PROXY ${"x".repeat(101)}`,
    ]) {
      assert.equal(kindOf(line(text)), "invalid", text);
    }
  });
});

describe("Bytes that are no PROXY header", () => {
  it("are recognized by the first one that differs", () => {
    for (const text of [
      "G",
      "PROXX",
      "PROXY\t",
      "\r\n\r\n\0\r\nQUIT\r",
      "\r\nGET",
      "\x16\x03\x01",
    ]) {
      assert.equal(kindOf(line(text)), "other", JSON.stringify(text));
    }
  });

  it("are those of a version that is not expected", () => {
    assert.equal(readProxyHeader(line("PROXY UNKNOWN\r\n"), ["v2"]).kind, "other");
    assert.equal(readProxyHeader(proxyHeader("192.0.2.1"), ["v1"]).kind, "other");
  });
});
