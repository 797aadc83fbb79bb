/**
 * Limits per key, such as a user id or an address, that apply across all shards of the node.
 *
 * Runs on: shard; one per mount. The buckets are in the node's rate table.
 */

import { checkKeys } from "../definition-checks.ts";
import type { RateKey, RateTable } from "../memory/rate-table.ts";
import type { Clock } from "./clock.ts";
import { OWN_KEYS, type Counted, type OwnRates } from "./own-limits.ts";
import { checkedRate, checkSharedRate, RateLimit, type Rate } from "./rate.ts";

export type { RateKey, RateTable } from "../memory/rate-table.ts";

/** Rates that can be limited for all connections with the same key together. */
export interface SharedRates extends OwnRates {
  /** Connection requests. */
  readonly connects?: Rate;
}

const SHARED_KEYS = [...OWN_KEYS, "connects"] as const satisfies (keyof SharedRates)[];

interface SharedLimit {
  readonly limit: RateLimit;
  /** Salts that give each limit its own buckets for a key. */
  readonly salt0: number;
  readonly salt1: number;
}

/** The limits for one kind of key on one mount. */
export class SharedLimits {
  readonly #table: RateTable;
  readonly #clock: Clock;
  readonly #limits: Partial<Record<Counted, SharedLimit>> = {};
  /** The limit that refused the last request. */
  refusedBy: Counted = "messages";

  /** @param name - unique for each kind of key on each mount */
  constructor(name: string, rates: SharedRates, table: RateTable, clock: Clock) {
    this.#table = table;
    this.#clock = clock;
    for (const counted of SHARED_KEYS) {
      const rate = rates[counted];
      if (!rate) continue;
      const limit = new RateLimit(counted, rate, costOf(counted));
      const { hash0: salt0, hash1: salt1 } = table.keyOf(`${name} ${counted}`);
      this.#limits[counted] = { limit, salt0, salt1 };
    }
  }

  get countsBytes(): boolean {
    return this.#limits.bytes !== undefined;
  }

  /** Whether there is a limit for anything other than connects. */
  get countsMessages(): boolean {
    return OWN_KEYS.some((counted) => this.#limits[counted] !== undefined);
  }

  /** Hashes a key. This takes a few µs, so store the result with the connection. */
  keyOf(text: string): RateKey {
    return this.#table.keyOf(text);
  }

  /**
   * Spends the cost of a message if it is within all limits. If a limit refuses the message, the
   * cost is not returned to the limits that were checked before.
   *
   * @returns 0 if the message passes; otherwise the time until the refusing limit would let it pass
   *   (ms)
   */
  take(key: RateKey, nowMs: number, bytes: number, isJoin: boolean): number {
    let waitMs = isJoin ? this.#spend("joins", key, nowMs, 1) : 0;
    if (waitMs === 0) waitMs = this.#spend("messages", key, nowMs, 1);
    return waitMs === 0 ? this.#spend("bytes", key, nowMs, bytes) : waitMs;
  }

  /** Spends a connection request for a key. Returns the same values as `take`. */
  takeConnect(text: string, nowMs: number): number {
    return this.#limits.connects ? this.#spend("connects", this.keyOf(text), nowMs, 1) : 0;
  }

  #spend(counted: Counted, { hash0, hash1 }: RateKey, nowMs: number, count: number): number {
    const found = this.#limits[counted];
    if (!found) return 0;
    const { limit, salt0, salt1 } = found;
    this.refusedBy = counted;
    const cost = limit.costUnits(count);
    const word0 = mix(hash0 ^ salt0);
    const word1 = mix(hash1 ^ salt1);
    const waitMs = this.#table.spend(word0, word1, nowMs, cost, limit.toleranceUnits);
    if (waitMs === 0) return 0;
    // Another shard may have spent at a time later than `nowMs`. To a clock that is behind it, less is left in
    // the bucket than there is, and the last message of a burst would be refused.
    const laterMs = this.#clock();
    if (laterMs === nowMs) return waitMs;
    return this.#table.spend(word0, word1, laterMs, cost, limit.toleranceUnits);
  }
}

/** Checks the rates of a definition. @throws SIM_ERR_DEFINITION_INVALID if a rate is invalid */
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

/** Mixes all bits of a salted hash (the finalizer of MurmurHash3, public domain). */
function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
