/**
 * Samples a shard's load with each of its heartbeats, and reports changes of its overload level.
 *
 * Runs on: shard.
 * Order: the level is set before a change is reported.
 */

import { getHeapStatistics } from "node:v8";

import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import { telemetry } from "../telemetry.ts";
import {
  Overload,
  OVERLOAD_LEVELS,
  type OverloadLevel,
  type OverloadLimits,
  type OverloadMeasures,
  type OverloadStep,
} from "./overload.ts";

/** Watches the overload of one shard. */
export class OverloadWatch {
  readonly #counters: Counters;
  readonly #logger: Logger;
  readonly #onRotation: (isIn: boolean) => void;
  readonly #overload: Overload;
  /** Resident memory of the process at the last sample. */
  residentBytes = 0;

  /**
   * @param onRotation - called when main should remove the shard from the rotation (false) or add it
   *   again (true)
   */
  constructor(
    limits: OverloadLimits,
    counters: Counters,
    logger: Logger,
    onRotation: (isIn: boolean) => void,
  ) {
    this.#counters = counters;
    this.#logger = logger;
    this.#onRotation = onRotation;
    this.#overload = new Overload(limits, (...step) => this.#report(...step));
  }

  /** False while joins and large messages must be refused. */
  get takesMore(): boolean {
    return this.#overload.level === "normal";
  }

  /** Takes a sample. Called with each heartbeat of the shard. */
  sample(lagMs: number): void {
    const counters = this.#counters;
    const { used_heap_size: heapBytes, external_memory: externalBytes } = getHeapStatistics();
    this.residentBytes = process.memoryUsage.rss();
    const { residentBytes } = this;
    counters.set(COUNTER.loopLagMs, lagMs);
    counters.set(COUNTER.heapBytes, heapBytes);
    counters.set(COUNTER.externalBytes, externalBytes);
    counters.set(COUNTER.residentBytes, residentBytes);
    this.#overload.update({ lagMs, heapBytes, externalBytes, residentBytes });
  }

  #report(
    step: OverloadStep,
    from: OverloadLevel,
    to: OverloadLevel,
    measures: OverloadMeasures,
  ): void {
    const isRise = step === "rise";
    const fields = { level: isRise ? to : from, ...measures };
    this.#counters.set(COUNTER.overloadLevel, OVERLOAD_LEVELS.indexOf(to));
    this.#logger.log(isRise ? "overloadBegin" : "overloadEnd", fields);
    const event = isRise ? telemetry.overload_begin : telemetry.overload_end;
    if (event.hasSubscribers) event.publish(fields);
    if (fields.level === "withdrawn") this.#onRotation(!isRise);
  }
}
