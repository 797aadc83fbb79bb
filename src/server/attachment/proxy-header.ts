/**
 * The PROXY header of version 2 with which an outer server names the client of a connection (HAProxy's PROXY protocol,
 * §2.2):
 *
 *   signature (12 bytes) | version 2, PROXY: 0x21 | family and TCP: 0x11, 0x21 | length (u16)
 *     | source address | destination address | source port (u16) | destination port (u16)
 *
 * Only the source address is known to be of use. The rest is zero.
 *
 * Runs on: main. Pure.
 */

import { isIPv4 } from "node:net";

import { addressKey, groupsOf } from "../../limits/address-key.ts";

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const VERSION_AND_COMMAND = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const PORTS_BYTES = 4;

/** Returns the header for a client's address. An IPv4 address that is mapped into IPv6 is sent as IPv4. */
export function proxyHeader(address: string): Buffer {
  const key = addressKey(address);
  const source = isIPv4(key) ? bytesOfIPv4(key) : bytesOfIPv6(address);
  const head = Buffer.alloc(4);
  head[0] = VERSION_AND_COMMAND;
  head[1] = source.length === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  head.writeUInt16BE(2 * source.length + PORTS_BYTES, 2);
  return Buffer.concat([SIGNATURE, head, source, Buffer.alloc(source.length + PORTS_BYTES)]);
}

function bytesOfIPv4(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

function bytesOfIPv6(address: string): Buffer {
  return Buffer.from(groupsOf(address).flatMap((group) => [group >> 8, group & 0xff]));
}
