/**
 * What log, telemetry and counters hear of what was over a limit.
 *
 * Runs on: shard; one for all its limits.
 * Full: the log gets a line at once, and then at most one every 10 s, with how many there were; so
 *       a flood is no flood of the log.
 */

import type { Logger } from "../log/logger.ts";
import type { Counters } from "../memory/counters.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { telemetry } from "../telemetry.ts";
import type { Clock } from "./clock.ts";
import type { Counted } from "./own-limits.ts";

/** Whose limit it was. */
export type LimitScope = "socket" | "channel" | "event" | "id" | "address";

/** Something that was refused. */
export interface Refusal {
  readonly scope: LimitScope;
  readonly counted: Counted;
  /** Number of the connection; undefined: there is none yet. */
  readonly connection: number | undefined;
  readonly id: string | null;
  readonly topic: unknown;
  readonly event: unknown;
  readonly retryAfterMs: number;
}

const LINE_EVERY_MS = 10_000;

/** Hears of refusals. */
export class Refusals {
  readonly clock: Clock;
  readonly #counters: Counters;
  readonly #logger: Logger;
  #nextLineMs = -Infinity;
  /** Since the last line. */
  #count = 0;

  constructor(counters: Counters, logger: Logger, clock: Clock) {
    this.#counters = counters;
    this.#logger = logger;
    this.clock = clock;
  }

  /** A message, or a join, was refused, and its client told. */
  refused(refusal: Refusal): void {
    this.#counters.add(COUNTER.rateLimited);
    this.#report(refusal);
  }

  /** A message of a client that goes on far above its limit was refused without a word. */
  ignored(): void {
    this.#counters.add(COUNTER.rateLimited);
    this.#counters.add(COUNTER.floodIgnored);
    this.#count += 1;
  }

  /** A request to connect was refused. */
  connectRefused(refusal: Refusal): void {
    this.#counters.add(COUNTER.connectsLimited);
    this.#report(refusal);
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
