/**
 * Reports refusals by rate limits to the log, telemetry and counters.
 *
 * Runs on: shard; one for all limits.
 * Full: the first refusal is logged immediately. After that, at most one line with a count is logged
 *       every 10 s, so that a flood of messages does not flood the log. A missing address is logged
 *       once per node.
 */

import type { Logger } from "../log/logger.ts";
import type { Counters } from "../memory/counters.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { telemetry } from "../telemetry.ts";
import type { Clock } from "./clock.ts";
import type { Counted } from "./own-limits.ts";

/** The scope of a limit. */
export type LimitScope = "socket" | "channel" | "event" | "id" | "address";

/** A refused message, join or connection request. */
export interface Refusal {
  readonly scope: LimitScope;
  readonly counted: Counted;
  /** Number of the connection; undefined if it does not exist yet. */
  readonly connection: number | undefined;
  readonly id: string | null;
  readonly topic: unknown;
  readonly event: unknown;
  readonly retryAfterMs: number;
}

const LINE_EVERY_MS = 10_000;

/** Reports the refusals of a shard. */
export class Refusals {
  readonly clock: Clock;
  readonly #counters: Counters;
  readonly #logger: Logger;
  #nextLineMs = -Infinity;
  /** Number of refusals since the last line. */
  #count = 0;

  constructor(counters: Counters, logger: Logger, clock: Clock) {
    this.#counters = counters;
    this.#logger = logger;
    this.clock = clock;
  }

  /** Reports a refused message or join. The client receives an error reply. */
  refused(refusal: Refusal): void {
    this.#counters.add(COUNTER.rateLimited);
    this.#report(refusal);
  }

  /** Counts a refused message from a flooding client, which receives no answer. */
  ignored(): void {
    this.#counters.add(COUNTER.rateLimited);
    this.#counters.add(COUNTER.floodIgnored);
    this.#count += 1;
  }

  /** Reports a refused connection request. */
  connectRefused(refusal: Refusal): void {
    this.#counters.add(COUNTER.connectsLimited);
    this.#report(refusal);
  }

  /** Reports a client whose address is not known, so that no limit per address applies. */
  addressMissing(path: string): void {
    if (this.#counters.isFirst(COUNTER.addressesMissing)) {
      this.#logger.log("addressMissing", { path });
    }
  }

  #report(refusal: Refusal): void {
    this.#count += 1;
    const nowMs = this.clock();
    if (nowMs >= this.#nextLineMs) {
      this.#logger.log("rateLimited", { ...refusal, count: this.#count });
      this.#nextLineMs = nowMs + LINE_EVERY_MS;
      this.#count = 0;
    }
    if (telemetry.rate_limited.hasSubscribers) telemetry.rate_limited.publish(refusal);
  }
}
