/**
 * Pauses for client addresses whose connections were cut because they flooded a shard (`floodPauseMs`).
 *
 * A client that floods, is cut and reconnects immediately uses up the budget of one turn of the event loop each time.
 * Each cut adds a pause to those of its address, on the whole node, during which the address may not connect.
 *
 * Without `trustProxy`, a request that a proxy has forwarded has the address of the proxy, which many clients share. Such
 * requests are exempt. A client that pretends to be a proxy is limited only by the turn's budget.
 *
 * Runs on: shard; one for each, if there are such pauses. The times are in the node's rate table.
 * Full: an address has to wait for at most 10 s.
 */

import { COUNTER } from "../memory/counters-layout.ts";
import { CounterSum } from "../memory/counters.ts";
import type { RateKey, RateTable } from "../memory/rate-table.ts";
import { UNITS_PER_MS } from "../memory/rate-table-layout.ts";
import { addressKey } from "./address-key.ts";
import type { Clock } from "./clock.ts";

/** An address has to wait for at most 10 s. */
const MAX_PAUSE_UNITS = 10_000 * UNITS_PER_MS;

/** Headers of requests that a proxy has forwarded. */
export const FORWARDED_HEADERS: readonly string[] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/** The pauses of all addresses. */
export class FloodPauses {
  readonly #table: RateTable;
  readonly #cuts: CounterSum;
  readonly #pauseMs: number;
  readonly #clock: Clock;

  /** @param counters - those of all threads */
  constructor(table: RateTable, counters: SharedArrayBuffer, pauseMs: number, clock: Clock) {
    this.#table = table;
    this.#cuts = new CounterSum(counters, COUNTER.floodCut);
    this.#pauseMs = pauseMs;
    this.#clock = clock;
  }

  /** Whether there have been any pauses. */
  get areUsed(): boolean {
    return this.#cuts.value > 0;
  }

  /** Adds a pause to those of an address. */
  add(peerAddress: string): void {
    const { hash0, hash1 } = this.#keyOf(peerAddress);
    const pauseUnits = this.#pauseMs * UNITS_PER_MS;
    this.#table.spend(hash0, hash1, this.#clock(), pauseUnits, MAX_PAUSE_UNITS);
  }

  /** Returns the time until an address may connect again (ms), or 0. */
  waitMs(peerAddress: string): number {
    // Hashing takes a few µs, and usually nobody has been cut.
    if (!this.areUsed) return 0;
    const { hash0, hash1 } = this.#keyOf(peerAddress);
    return this.#table.spentMs(hash0, hash1, this.#clock());
  }

  #keyOf(peerAddress: string): RateKey {
    return this.#table.keyOf(`flood ${addressKey(peerAddress)}`);
  }
}
