/**
 * What log, telemetry and counters hear of what was over a limit.
 *
 * Runs on: shard; one for all its limits.
 * Full: the log gets a line at once, and then at most one every 10 s, with how many there were; so
 *       a flood is no flood of the log.
 */

import type { Logger } from "../log/logger.ts";
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

/** What refusals are counted by. */
export interface RefusalsParts {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called for each message and join that is refused, answered or not. */
  readonly onRefused: () => void;
  /** Called for each of those that is not even answered. */
  readonly onIgnored: () => void;
  /** Called for each request to connect that is refused. */
  readonly onConnectRefused: () => void;
}

const LINE_EVERY_MS = 10_000;

/** Hears of refusals. */
export class Refusals {
  readonly clock: Clock;
  readonly #parts: RefusalsParts;
  #nextLineMs = -Infinity;
  /** Since the last line. */
  #count = 0;

  constructor(parts: RefusalsParts) {
    this.#parts = parts;
    this.clock = parts.clock;
  }

  /** A message, or a join, was refused, and its client told. */
  refused(refusal: Refusal): void {
    this.#parts.onRefused();
    this.#report(refusal);
  }

  /** A message of a client that goes on far above its limit was refused without a word. */
  ignored(): void {
    this.#parts.onRefused();
    this.#parts.onIgnored();
    this.#count += 1;
  }

  /** A request to connect was refused. */
  connectRefused(refusal: Refusal): void {
    this.#parts.onConnectRefused();
    this.#report(refusal);
  }

  #report(refusal: Refusal): void {
    this.#count += 1;
    const nowMs = this.clock();
    if (nowMs >= this.#nextLineMs) {
      this.#parts.logger.log("rateLimited", { ...refusal, count: this.#count });
      this.#nextLineMs = nowMs + LINE_EVERY_MS;
      this.#count = 0;
    }
    if (telemetry.rate_limited.hasSubscribers) telemetry.rate_limited.publish(refusal);
  }
}
