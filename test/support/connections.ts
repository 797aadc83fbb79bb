/**
 * The part of a shard that its connections share, without the shard itself.
 *
 * Runs on: the test's thread.
 */

import { WaitingBytes } from "../../src/callbacks/waiting-bytes.ts";
import { Logger } from "../../src/log/logger.ts";
import { Counters, makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import type { CounterName } from "../../src/memory/counters-layout.ts";
import { ConnectionNumbers } from "../../src/transport/connection-numbers.ts";
import type { SharedByConnections } from "../../src/transport/connection-set.ts";
import type { LogEntry } from "./world.ts";

/** A shard as seen by a ConnectionSet. */
export class TestConnections implements SharedByConnections {
  readonly #memory = makeCountersMemory(1);
  readonly counters = new Counters(this.#memory, 0);
  readonly numbers = new ConnectionNumbers(0, 1, 0);
  readonly log: LogEntry[] = [];
  readonly logger: Logger;
  readonly options: SharedByConnections["options"];
  readonly waiting = new WaitingBytes(1_000_000, Infinity);
  /** The return value of `isNodeDrained`. */
  isDrained = false;

  constructor(options: SharedByConnections["options"]) {
    this.options = options;
    const note = (fields: object, text: string): void =>
      void this.log.push({ text, fields: fields as LogEntry["fields"] });
    this.logger = new Logger("debug", { debug: note, info: note, warn: note, error: note });
  }

  readonly isNodeDrained = (): boolean => this.isDrained;

  /** Reads a counter. */
  counter(name: CounterName): number {
    return readCounters(this.#memory, 0)[name];
  }
}
