/**
 * Allocates a node's shared memory and assigns member numbers.
 *
 *   member 0            main
 *   member 1            the link; unused without an adapter
 *   member 2 … s + 1    the shards, when the server starts
 *   member s + 2        spare, for the next shard that replaces another
 *   member s + 3 …      the keepers of histories; unused if no channel declares one
 *
 * Runs on: main; one per server.
 * Owns: the free member numbers. A number becomes free when every other member has forgotten it.
 */

import { randomBytes, randomInt } from "node:crypto";

import { makeError } from "../errors.ts";
import { makeAddressCountsMemory } from "../memory/address-counts.ts";
import { makeBufferGaugesMemory } from "../memory/buffer-gauges.ts";
import { makeCountersMemory } from "../memory/counters.ts";
import { makeFiguresMemory } from "../memory/figures.ts";
import { lifeBytes } from "../memory/life-layout.ts";
import { makeRunningMemory } from "../memory/running.ts";
import { makeRateTableMemory } from "../memory/rate-table.ts";
import { EXTRA_MEMBERS, memberCount } from "../options/resolution.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { AdapterSpec } from "../pubsub/adapter.ts";
import { makeExchangeMemory } from "../pubsub/exchange-layout.ts";
import { subscriptionIndexBytes } from "../pubsub/subscription-index-layout.ts";
import type { NodeMemory } from "../shard/control.ts";

/** Member number of the main thread. */
export const MAIN_MEMBER = 0;
/** Member number of the link. */
export const LINK_MEMBER = 1;

/** Allocates the shared memory of a server. */
export function makeNodeMemory(
  options: ResolvedOptions,
  adapter: AdapterSpec | undefined,
): NodeMemory {
  const members = memberCount(options);
  const indexLayout = { indexBits: options.indexBits, members };
  const { rateTableBits, maxConnectionsPerAddress } = options;
  const named = adapter?.options["nodeName"];
  return {
    exchange: makeExchangeMemory({ members, ringBytes: options.ringBytes }),
    index: new SharedArrayBuffer(subscriptionIndexBytes(indexLayout)),
    indexLayout,
    counters: makeCountersMemory(members),
    life: new SharedArrayBuffer(lifeBytes(members)),
    running: makeRunningMemory(members),
    buffers: makeBufferGaugesMemory(members),
    figures: makeFiguresMemory(members),
    rates: makeRateTableMemory(rateTableBits, seed()),
    addresses:
      maxConnectionsPerAddress > 0
        ? makeAddressCountsMemory(members, rateTableBits, seed())
        : undefined,
    hashSeed: randomInt(-0x8000_0000, 0x8000_0000),
    link: adapter ? LINK_MEMBER : -1,
    keepers: keeperMembers(options),
    nodeName: typeof named === "string" ? named : options.nodeName,
  };
}

/** Returns the member numbers of the keepers. */
function keeperMembers({ shards, historyThreads }: ResolvedOptions): number[] {
  return Array.from({ length: historyThreads }, (_, at) => shards + EXTRA_MEMBERS + at);
}

function seed(): string {
  return randomBytes(16).toString("base64");
}

/** Assigns member numbers to shards. */
export class MemberNumbers {
  readonly #free: number[];
  readonly #waiting: ((member: number | undefined) => void)[] = [];
  #isClosed = false;

  constructor(shards: number) {
    const count = shards + EXTRA_MEMBERS - 2;
    this.#free = Array.from({ length: count }, (_, at) => LINK_MEMBER + 1 + at);
  }

  /**
   * Reserves a free number, waiting until one is available if necessary.
   *
   * @param limitMs - maximum time to wait
   * @returns undefined after `close`
   * @throws SIM_ERR_SHARD_BUSY if no number becomes free in time, because a blocked thread cannot
   *   forget members
   */
  async take(limitMs: number): Promise<number | undefined> {
    if (this.#isClosed) return undefined;
    const member = this.#free.shift();
    if (member !== undefined) return member;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        const message = `a member number must become free within ${limitMs} (ms), got none: a shard is too busy to forget one that ended`;
        reject(makeError("SIM_ERR_SHARD_BUSY", message));
      }, limitMs);
      const take = (given: number | undefined): void => {
        clearTimeout(timer);
        resolve(given);
      };
      this.#waiting.push(take);
    });
  }

  /** Makes a number available again. */
  free(member: number): void {
    const next = this.#waiting.shift();
    if (next) next(member);
    else this.#free.push(member);
  }

  /** Stops assigning numbers. Pending calls to `take` return undefined. */
  close(): void {
    this.#isClosed = true;
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }
}
