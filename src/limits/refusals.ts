/**
 * Reports refusals by rate limits to the log, telemetry and counters.
 *
 * Runs on: shard; one for all limits.
 * Full: the first refusal is logged immediately, then at most one line every 10 s with a count, so
 *       that a flood of messages does not flood the log.
 */

import type { Logger } from "../log/logger.ts";
import { telemetry } from "../telemetry.ts";
import type { Clock } from "./clock.ts";
import type { Counted } from "./own-limits.ts";

/** What the limit applies to. */
export type LimitScope = "socket" | "channel" | "event" | "id" | "address";

/** A message, join or connect that was refused. */
export interface Refusal {
  readonly scope: LimitScope;
  readonly counted: Counted;
  /** Number of the connection; undefined if there is none yet. */
  readonly connection: number | undefined;
  readonly id: string | null;
  readonly topic: unknown;
  readonly event: unknown;
  readonly retryAfterMs: number;
}

/** The dependencies of Refusals. */
export interface RefusalsParts {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called for each refused message and join, answered or not. */
  readonly onRefused: () => void;
  /** Called as well for each of those that is not answered. */
  readonly onIgnored: () => void;
  /** Called for each refused connection request. */
  readonly onConnectRefused: () => void;
}

const LINE_EVERY_MS = 10_000;

/** Reports the refusals of a shard. */
export class Refusals {
  readonly clock: Clock;
  readonly #parts: RefusalsParts;
  #nextLineMs = -Infinity;
  /** Refusals since the last line. */
  #count = 0;

  constructor(parts: RefusalsParts) {
    this.#parts = parts;
    this.clock = parts.clock;
  }

  /** Reports a refused message or join that the client is told about. */
  refused(refusal: Refusal): void {
    this.#parts.onRefused();
    this.#report(refusal);
  }

  /** Counts a refused message of a flooding client, which gets no answer. */
  ignored(): void {
    this.#parts.onRefused();
    this.#parts.onIgnored();
    this.#count += 1;
  }

  /** Reports a refused connection request. */
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
