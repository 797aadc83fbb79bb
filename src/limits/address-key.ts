/**
 * The key for limits per address: an IPv4 address, or the /64 network of an IPv6 address.
 *
 * A client with an IPv6 address usually controls a whole /64 network. With limits for single
 * addresses, it could use a new bucket for each address.
 *
 * Runs on: shard. Pure.
 */

import { isIP, isIPv6 } from "node:net";

const GROUPS = 8;
/** Number of 16-bit groups in the prefix of a /64 network. */
const NETWORK_GROUPS = 4;

/** An address in brackets, or one with a port. Some proxies write these in `X-Forwarded-For`. */
const WITH_PORT = /^\[([^\]]*)\](?::\d*)?$|^(.*):\d*$/;

/**
 * Returns the IPv4 address, including one mapped into IPv6; otherwise the /64 network. A port does not
 * count. Text that is no address is its own key.
 */
export function addressKey(text: string): string {
  const address = withoutPort(text.trim());
  if (!address.includes(":") || !isIPv6(address)) return address;
  const groups = groupsOf(address);
  const [high = 0, low = 0] = groups.slice(-2);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => group.toString(16));
  return `${network.join(":")}::/64`;
}

function withoutPort(text: string): string {
  if (isIP(text) !== 0) return text;
  const [, inBrackets, beforePort] = WITH_PORT.exec(text) ?? [];
  const address = inBrackets ?? beforePort ?? "";
  return isIP(address) === 0 ? text : address;
}

/** Returns the eight groups of an IPv6 address. */
export function groupsOf(address: string): number[] {
  const [text = ""] = address.split("%");
  const [before = "", after] = text.split("::");
  const head = parseGroups(before);
  if (after === undefined) return head;
  const tail = parseGroups(after);
  const between = Array.from({ length: GROUPS - head.length - tail.length }, () => 0);
  return [...head, ...between, ...tail];
}

/** Parses groups. The last one may be an IPv4 address. */
function parseGroups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
