/**
 * The addresses by which the transports of one shard call those of another.
 *
 *   <member>.<generation>.<nonce>.<node>.<seal>
 *     member, generation   the thread on its node
 *     nonce                drawn by the thread at its start: 12 characters of base64url. A thread of an earlier
 *                          process of the node, with the same numbers, had another one
 *     node                 name of the node, in base64url
 *     seal                 HMAC of all that, 22 characters of base64url
 *
 * Clients may see an address and send another one back. The seal, from the secret that all nodes share, makes
 * sure that records only go to addresses that a shard has issued.
 *
 * Runs on: shard; one instance for each.
 * Owns: the addresses that were checked before, at most 1,024.
 */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

import type { ShardAddress } from "../forwarding/forwarding-port.ts";

/** A thread of a shard. */
export interface TransportAddress extends ShardAddress {
  /** Its generation; see `ForwardingPort`. */
  readonly generation: number;
  readonly nonce: string;
}

/** Length of a nonce (ASCII characters). */
export const NONCE_LENGTH = 12;
const NONCE_BYTES = 9;
const SEAL_BYTES = 16;
const SALT = "simurgh transport addresses";
const FORM = /^((\d{1,5})\.(\d{1,10})\.([\w-]{12})\.([\w-]{1,340}))\.([\w-]{22})$/;
const MAX_KNOWN = 1_024;

/** Returns the nonce of a thread that starts. */
export function drawNonce(): string {
  return randomBytes(NONCE_BYTES).toString("base64url");
}

/** Writes and reads addresses. */
export class TransportAddresses {
  readonly #key: Buffer;
  readonly #known = new Map<string, TransportAddress>();

  constructor(secretKeyBase: string) {
    this.#key = createHmac("sha256", secretKeyBase).update(SALT).digest();
  }

  /** Writes an address: ASCII letters, digits, `.`, `-` and `_`. */
  pack({ node, member, generation, nonce }: TransportAddress): string {
    const text = `${member}.${generation}.${nonce}.${Buffer.from(node).toString("base64url")}`;
    return `${text}.${this.#sealOf(text).toString("base64url")}`;
  }

  /** Reads an address. Returns undefined if no shard has issued it. */
  tryRead(text: string): TransportAddress | undefined {
    const known = this.#known.get(text);
    if (known) return known;
    const address = this.#tryParse(text);
    if (!address) return undefined;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= MAX_KNOWN) this.#known.delete(oldest);
    this.#known.set(text, address);
    return address;
  }

  #tryParse(text: string): TransportAddress | undefined {
    const [, sealed = "", member, generation, nonce = "", node = "", seal = ""] =
      FORM.exec(text) ?? [];
    const given = Buffer.from(seal, "base64url");
    if (given.length !== SEAL_BYTES || !timingSafeEqual(given, this.#sealOf(sealed))) {
      return undefined;
    }
    return {
      node: Buffer.from(node, "base64url").toString("utf8"),
      member: Number(member),
      generation: Number(generation),
      nonce,
    };
  }

  #sealOf(text: string): Buffer {
    return createHmac("sha256", this.#key).update(text).digest().subarray(0, SEAL_BYTES);
  }
}
