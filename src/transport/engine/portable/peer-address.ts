/**
 * The address of the other end of a connection.
 *
 * Runs on: main, shard.
 */

import type { Socket } from "node:net";

/** How an IPv4 address begins that is mapped into IPv6. */
const MAPPED = "::ffff:";

/** Returns the address; empty if the connection is closed. */
export function addressOf({ remoteAddress = "" }: Socket): string {
  return unmapped(remoteAddress);
}

/** Returns an address as Node.js writes it, but an IPv4 address that is mapped into IPv6 as IPv4. */
export function unmapped(address: string): string {
  const isMapped = address.startsWith(MAPPED) && address.includes(".");
  return isMapped ? address.slice(MAPPED.length) : address;
}

/** Returns an address as an engine reports it: text in ASCII. */
export function addressBytes(address: string): ArrayBuffer {
  const bytes = new ArrayBuffer(address.length);
  Buffer.from(bytes).write(address, "latin1");
  return bytes;
}
