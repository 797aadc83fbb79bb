/**
 * Keeps the transports' totals in the shard's counters.
 *
 * Runs on: shard.
 */

import { COUNTER } from "../memory/counters-layout.ts";
import type { Counters } from "../memory/counters.ts";
import type { TransportMeter } from "../transport/meter.ts";

/** A meter over counters. */
export class CounterMeter implements TransportMeter {
  readonly #counters: Counters;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  opened(): void {
    this.#counters.add(COUNTER.connections, 1);
  }

  closed(): void {
    this.#counters.add(COUNTER.connections, -1);
  }

  sessions(change: number): void {
    this.#counters.add(COUNTER.sessions, change);
  }

  forwarded(): void {
    this.#counters.add(COUNTER.requestsForwarded, 1);
  }

  received(bytes: number): void {
    this.#counters.add(COUNTER.framesIn, 1);
    this.#counters.add(COUNTER.bytesIn, bytes);
  }

  sent(receivers: number, length: number): void {
    this.#counters.add(COUNTER.framesOut, receivers);
    this.#counters.add(COUNTER.bytesOut, receivers * length);
  }

  skipped(): void {
    this.#counters.add(COUNTER.engineSkips, 1);
  }

  slowCut(): void {
    this.#counters.add(COUNTER.slowCut, 1);
  }

  slowEnded(channels: number): void {
    this.#counters.add(COUNTER.slowEnded, channels);
  }
}
