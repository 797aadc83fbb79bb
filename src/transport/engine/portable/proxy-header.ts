/**
 * Reads the PROXY header in front of a connection, with which a proxy names its client (HAProxy's PROXY protocol,
 * versions 1 and 2).
 *
 *   version 1: PROXY TCP4 <source> <destination> <source port> <destination port> CRLF
 *              PROXY TCP6 ... | PROXY UNKNOWN ...
 *   version 2: signature (12 bytes) | version, command | family, protocol | length (u16) | addresses | TLVs
 *
 * A header that names no client of TCP has no address: `UNKNOWN`, the command LOCAL of a proxy that checks the server's
 * health, an unspecified family, a Unix socket, or UDP. TLVs are skipped.
 *
 * Runs on: main, shard. Pure.
 * Full: a header of more than `MAX_BYTES` is invalid.
 */

import { isIP, SocketAddress } from "node:net";

import type { ProxyVersion } from "../app-port.ts";
import { unmapped } from "./peer-address.ts";

/** What the first bytes of a connection are. */
export type FirstBytes =
  | { readonly kind: "header"; readonly length: number; readonly address: string }
  /** The beginning of a header, or of something else. */
  | { readonly kind: "incomplete" }
  /** Not a header. */
  | { readonly kind: "other" }
  /** Begins as a header, and is none. */
  | { readonly kind: "invalid" };

/** Longest header. Senders keep to the 536 bytes of the smallest TCP segment, unless they add much in TLVs. */
const MAX_BYTES = 4_096;

const INCOMPLETE: FirstBytes = { kind: "incomplete" };
const OTHER: FirstBytes = { kind: "other" };
const INVALID: FirstBytes = { kind: "invalid" };

const PREFIXES: Readonly<Record<ProxyVersion, Buffer>> = {
  v1: Buffer.from("PROXY ", "latin1"),
  v2: Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"),
};

/** Longest line of version 1, with its end. */
const MAX_LINE_BYTES = 107;
const LINE_END = "\r\n";
const UNKNOWN = /^PROXY UNKNOWN(?: .*)?$/;
const LINE = /^PROXY TCP([46]) (\S+) (\S+) (\S+) (\S+)$/;
const PORT = /^(?:0|[1-9]\d{0,4})$/;
const MAX_PORT = 65_535;

/** Bytes of version 2 before the addresses. */
const HEAD_BYTES = 16;
const VERSION_2 = 0x20;
const LOCAL = 0;
const PROXY = 1;
/** Bytes of the addresses and ports by family: unspecified, IPv4, IPv6, Unix. */
const ADDRESSES_BYTES: readonly number[] = [0, 12, 36, 216];
const IPV4 = 1;
const IPV6 = 2;
const TCP = 1;
const DATAGRAM = 2;

/** Reads the first bytes of a connection. */
export function readProxyHeader(bytes: Buffer, versions: readonly ProxyVersion[]): FirstBytes {
  for (const version of versions) {
    const prefix = PREFIXES[version];
    const length = Math.min(prefix.length, bytes.length);
    if (prefix.compare(bytes, 0, length, 0, length) !== 0) continue;
    if (length < prefix.length) return INCOMPLETE;
    return version === "v1" ? readLine(bytes) : readBinary(bytes);
  }
  return OTHER;
}

function readLine(bytes: Buffer): FirstBytes {
  const text = bytes.subarray(0, MAX_LINE_BYTES).toString("latin1");
  const end = text.indexOf(LINE_END);
  if (end < 0) return bytes.length < MAX_LINE_BYTES ? INCOMPLETE : INVALID;
  const line = text.slice(0, end);
  const length = end + LINE_END.length;
  if (UNKNOWN.test(line)) return { kind: "header", length, address: "" };
  const [, family, source = "", destination = "", ...ports] = LINE.exec(line) ?? [];
  const version = Number(family);
  const isValid =
    isAddress(source, version) && isAddress(destination, version) && ports.every(isPort);
  return isValid ? { kind: "header", length, address: canonical(source) } : INVALID;
}

function readBinary(bytes: Buffer): FirstBytes {
  if (bytes.length < HEAD_BYTES) return INCOMPLETE;
  const command = bytes.readUInt8(12) - VERSION_2;
  const family = bytes.readUInt8(13) >> 4;
  const protocol = bytes.readUInt8(13) & 0xf;
  const length = HEAD_BYTES + bytes.readUInt16BE(14);
  if ((command !== LOCAL && command !== PROXY) || length > MAX_BYTES) return INVALID;
  if (command === PROXY) {
    const addressesBytes = ADDRESSES_BYTES[family];
    if (addressesBytes === undefined || protocol > DATAGRAM) return INVALID;
    if (length < HEAD_BYTES + addressesBytes) return INVALID;
  }
  if (bytes.length < length) return INCOMPLETE;
  const names = command === PROXY && protocol === TCP;
  return { kind: "header", length, address: names ? sourceOf(bytes, family) : "" };
}

function sourceOf(bytes: Buffer, family: number): string {
  if (family === IPV4) return [...bytes.subarray(HEAD_BYTES, HEAD_BYTES + 4)].join(".");
  if (family !== IPV6) return "";
  const groups: string[] = [];
  for (let at = 0; at < 8; at += 1) {
    groups.push(bytes.readUInt16BE(HEAD_BYTES + 2 * at).toString(16));
  }
  return canonical(groups.join(":"));
}

/** Returns an address as Node.js writes that of a peer. An IPv4 address that is mapped into IPv6 is IPv4. */
function canonical(address: string): string {
  if (isIP(address) === 4) return address;
  return unmapped(new SocketAddress({ address, family: "ipv6" }).address);
}

function isAddress(text: string, version: number): boolean {
  return isIP(text) === version && !text.includes("%");
}

function isPort(text: string): boolean {
  return PORT.test(text) && Number(text) <= MAX_PORT;
}
