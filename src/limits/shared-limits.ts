/**
 * Limits of a key, such as a user's id or an address, which hold on all shards of the node.
 *
 * Runs on: shard; made once for each mount. Their buckets lie in the node's rate table.
 */

import { checkKeys } from "../definition-checks.ts";
import { createHmac } from "node:crypto";

import type { RateTable } from "../memory/rate-table.ts";
import { OWN_KEYS, type Counted, type OwnRates } from "./own-limits.ts";
import { checkedRate, checkSharedRate, RateLimit, type Rate } from "./rate.ts";

export type { RateTable } from "../memory/rate-table.ts";

/** What is limited of all connections that have a key. */
export interface SharedRates extends OwnRates {
  /** Requests to connect that are decided on. */
  readonly connects?: Rate;
}

const SHARED_KEYS = [...OWN_KEYS, "connects"] as const satisfies (keyof SharedRates)[];

/** Where the buckets of a key are: two hashes, each an int32. */
export interface SharedKey {
  readonly hash0: number;
  readonly hash1: number;
}

interface SharedLimit {
  readonly limit: RateLimit;
  /** Told apart by these, the limits of a key have buckets of their own. */
  readonly salt0: number;
  readonly salt1: number;
}

/** The limits of keys of one kind, at one mount. */
export class SharedLimits {
  readonly #table: RateTable;
  readonly #limits: Partial<Record<Counted, SharedLimit>> = {};
  /** What was refused last. */
  refusedBy: Counted = "messages";

  /**
   * @param name - tells the keys of one kind and mount from others
   */
  constructor(name: string, rates: SharedRates, table: RateTable) {
    this.#table = table;
    for (const counted of SHARED_KEYS) {
      const rate = rates[counted];
      if (!rate) continue;
      const limit = new RateLimit(counted, rate, costOf(counted));
      const { hash0: salt0, hash1: salt1 } = hashed(table, `${name} ${counted}`);
      this.#limits[counted] = { limit, salt0, salt1 };
    }
  }

  get countsBytes(): boolean {
    return this.#limits.bytes !== undefined;
  }

  /** True where anything is limited but connects. */
  get countsMessages(): boolean {
    return OWN_KEYS.some((counted) => this.#limits[counted] !== undefined);
  }

  /** Gives where the buckets of a key are. Costs a few µs: it is kept with a connection. */
  keyOf(text: string): SharedKey {
    return hashed(this.#table, text);
  }

  /**
   * Takes a message of a key, if it is within all limits. What one that passes has taken stays
   * taken where another refuses.
   *
   * @returns 0 where it passes; else the ms after which it would, by the limit that refused
   */
  take(key: SharedKey, nowMs: number, bytes: number, isJoin: boolean): number {
    let waitMs = isJoin ? this.#spend("joins", key, nowMs, 1) : 0;
    if (waitMs === 0) waitMs = this.#spend("messages", key, nowMs, 1);
    return waitMs === 0 ? this.#spend("bytes", key, nowMs, bytes) : waitMs;
  }

  /** Takes a request to connect of a key; gives the same. */
  takeConnect(text: string, nowMs: number): number {
    return this.#limits.connects ? this.#spend("connects", this.keyOf(text), nowMs, 1) : 0;
  }

  #spend(counted: Counted, { hash0, hash1 }: SharedKey, nowMs: number, count: number): number {
    const found = this.#limits[counted];
    if (!found) return 0;
    const { limit, salt0, salt1 } = found;
    this.refusedBy = counted;
    return this.#table.spend(
      mixed(hash0 ^ salt0),
      mixed(hash1 ^ salt1),
      nowMs,
      limit.costUnits(count),
      limit.toleranceUnits,
    );
  }
}

/** Checks limits that a user gives. @throws SIM_ERR_DEFINITION_INVALID */
export function checkSharedRates(subject: string, given: SharedRates): void {
  checkKeys(subject, given, SHARED_KEYS);
  for (const counted of SHARED_KEYS) {
    const rate = given[counted];
    if (rate === undefined) continue;
    const limit = `${subject}.${counted}`;
    checkedRate(limit, rate);
    if (counted !== "bytes") checkSharedRate(limit, rate);
  }
}

function costOf(counted: Counted): "ones" | "bytes" {
  return counted === "bytes" ? "bytes" : "ones";
}

// Keyed by the node's secret: nobody can make a key whose buckets are somebody else's.
function hashed({ seed }: RateTable, text: string): SharedKey {
  const digest = createHmac("sha256", seed).update(text).digest();
  return { hash0: digest.readInt32LE(0), hash1: digest.readInt32LE(4) };
}

/** Spreads a hash and a salt over all bits: the finalizer of MurmurHash3, public domain. */
function mixed(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
