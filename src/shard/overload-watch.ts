/**
 * Measures a shard's overload, and tells those who have to know.
 *
 * Runs on: shard.
 * Order: the level is set before anybody is told of it.
 */

import { getHeapStatistics } from "node:v8";

import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { telemetry } from "../telemetry.ts";
import { LoopLag } from "./loop-lag.ts";
import {
  Overload,
  OVERLOAD_LEVELS,
  type OverloadLevel,
  type OverloadLimits,
  type OverloadMeasures,
  type OverloadStep,
} from "./overload.ts";

/** What it is made of. */
export interface OverloadWatchParts {
  readonly limits: OverloadLimits;
  readonly counters: Counters;
  readonly logger: Logger;
  /** Called where the shard is to be taken out of the deal (false), or put back (true). */
  readonly onRotation: (isIn: boolean) => void;
}

/** The watch over one shard. */
export class OverloadWatch {
  readonly #parts: OverloadWatchParts;
  readonly #overload: Overload;
  readonly #lag = new LoopLag((lagMs) => this.#look(lagMs));

  constructor(parts: OverloadWatchParts) {
    this.#parts = parts;
    this.#overload = new Overload(parts.limits, (...step) => this.#stepped(...step));
  }

  /** False while joins are to be refused. */
  get takesJoins(): boolean {
    return this.#overload.level === "normal";
  }

  start(): void {
    this.#lag.start();
  }

  stop(): void {
    this.#lag.stop();
  }

  #look(lagMs: number): void {
    const { counters } = this.#parts;
    const heapBytes = getHeapStatistics().used_heap_size;
    counters.set(COUNTER.loopLagMs, lagMs);
    counters.set(COUNTER.heapBytes, heapBytes);
    this.#overload.look({ lagMs, heapBytes });
  }

  #stepped(
    step: OverloadStep,
    from: OverloadLevel,
    to: OverloadLevel,
    measures: OverloadMeasures,
  ): void {
    const { counters, logger, onRotation } = this.#parts;
    const isRise = step === "rise";
    const fields = { level: isRise ? to : from, ...measures };
    counters.set(COUNTER.overloadLevel, OVERLOAD_LEVELS.indexOf(to));
    logger.log(isRise ? "overloadBegin" : "overloadEnd", fields);
    const event = isRise ? telemetry.overload_begin : telemetry.overload_end;
    if (event.hasSubscribers) event.publish(fields);
    if (fields.level === "withdrawn") onRotation(!isRise);
  }
}
