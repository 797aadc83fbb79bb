/**
 * A keeper of histories within the thread of a test: the code of a server's keeper, without rings.
 *
 * Records between the shard and its keeper are delivered one after the other, within the call that
 * sends the first of them. So a broadcast has been kept and delivered when it returns.
 *
 * Runs on: the thread of a test.
 */

import { Keeper } from "../history/keeper.ts";
import { PublishKeys } from "../history/publish-keys.ts";
import { SlabStore } from "../history/slab-store.ts";
import type { Logger } from "../log/logger.ts";
import type { Counters } from "../memory/counters.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { ExchangeHandler } from "../pubsub/exchange.ts";
import { answerLimitsOf, type KeeperLine } from "../pubsub/keeping.ts";
import type { KeptTopics } from "../pubsub/kept-topics.ts";

/** The only shard, and its keeper, as members. */
const SHARD = 0;
export const SOLO_KEEPER = 1;
const IDLE_MS = 3_600_000;

interface Sent {
  readonly to: ExchangeHandler;
  readonly from: number;
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** The dependencies of a SoloKeeper. */
export interface SoloKeeperParts {
  readonly kept: KeptTopics;
  readonly options: Pick<ResolvedOptions, "historyBytes" | "overflowBytes" | "overflowTotalBytes">;
  readonly counters: Counters;
  readonly logger: Logger;
  /** Handles the records for the shard. */
  readonly shard: () => ExchangeHandler;
}

/** A keeper without a thread. */
export class SoloKeeper implements KeeperLine {
  readonly #parts: SoloKeeperParts;
  readonly #keeper: Keeper;
  readonly #sent: Sent[] = [];
  #isDelivering = false;

  constructor(parts: SoloKeeperParts) {
    const { kept, options, counters, logger } = parts;
    this.#parts = parts;
    const toShard = (type: number, record: Uint8Array, length: number): boolean =>
      this.#send({ to: parts.shard(), from: SOLO_KEEPER, type, bytes: record.slice(0, length) });
    this.#keeper = new Keeper({
      post: {
        publish: (_slot, type, record, length) => toShard(type, record, length),
        send: (_to, _slot, type, record, length) => toShard(type, record, length),
      },
      hashSeed: 0,
      slotOf: () => 0,
      kept,
      store: new SlabStore({ maxBytes: options.historyBytes, seed: 0, idleMs: IDLE_MS }),
      maxAnswerBytes: answerLimitsOf(options, 1).maxAnswerBytes,
      keys: new PublishKeys(options.historyBytes),
      counters,
      logger,
      now: () => Date.now(),
    });
  }

  /** Removes what has expired. */
  trim(): void {
    this.#keeper.trim();
  }

  send(_to: number, _slot: number, type: number, record: Uint8Array, length: number): boolean {
    // Not `slice`, which for a Buffer returns a view.
    const bytes = new Uint8Array(length);
    bytes.set(record.subarray(0, length));
    return this.#send({ to: this.#keeper, from: SHARD, type, bytes });
  }

  isTooLarge(length: number): boolean {
    return length > this.#parts.options.overflowBytes;
  }

  /** Stops all timers. */
  stop(): void {
    this.#keeper.stop();
  }

  #send(sent: Sent): boolean {
    this.#sent.push(sent);
    if (this.#isDelivering) return true;
    this.#isDelivering = true;
    try {
      for (let next = this.#sent.shift(); next; next = this.#sent.shift()) deliver(next);
    } finally {
      this.#isDelivering = false;
    }
    return true;
  }
}

function deliver({ to, from, type, bytes }: Sent): void {
  try {
    to.onRecord(from, type, bytes, 0, bytes.length);
  } catch (error) {
    to.onError(error, from);
  }
}
