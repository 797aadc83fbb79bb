/**
 * Stops listening while the node has no room for more connections, and listens again when it has.
 *
 * Without it, a process without free descriptors would spin: the engine cannot accept a connection,
 * and the system keeps reporting that one waits.
 *
 *   listening --no room--> paused --room for a twentieth more--> listening
 *
 * There is no room at `maxConnections`, or when half of the reserve of descriptors is used. The first
 * counts connections of all threads; the second also sees files of user code, and connections that a
 * blocked shard has not counted.
 *
 * Runs on: main.
 */

import type { Logger } from "../log/logger.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { CounterSum, type Counters } from "../memory/counters.ts";
import { reservedDescriptors } from "../options/resolution.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { descriptorLimit, openDescriptors } from "./descriptors.ts";

/** What is paused; implemented by the listener of the node. */
export interface PausedListener {
  /** Whether it will not listen again. */
  readonly isStopped: boolean;
  /** Closes the listening socket. @returns false if it is closed already */
  pause(): boolean;
  /** Listens again after `pause`. @returns false if the port is taken */
  resume(): Promise<boolean>;
}

/** The dependencies of an Admission. */
export interface AdmissionParts {
  readonly listener: PausedListener;
  /** The counters of all threads. */
  readonly memory: SharedArrayBuffer;
  /** Main's counters. */
  readonly counters: Counters;
  readonly options: Pick<ResolvedOptions, "maxConnections" | "shards">;
  readonly logger: Logger;
}

/** Interval of the checks. It bounds how long the engine can spin. */
const CHECK_MS = 100;
/** The part of a limit that must be free before the node listens again. */
const ROOM_SHARE = 0.05;

/** Pauses a listener while the node is full. */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #open: CounterSum;
  readonly #maxDescriptors: number;
  readonly #timer: NodeJS.Timeout;
  #isPaused = false;
  #isResuming = false;
  #isPortTaken = false;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    this.#open = new CounterSum(parts.memory, COUNTER.tcpConnections);
    const limit = descriptorLimit();
    this.#maxDescriptors = limit - reservedDescriptors(limit, parts.options.shards) / 2;
    this.#timer = setInterval(() => this.#check(), CHECK_MS).unref();
  }

  /** Ends the checks. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    if (this.#parts.listener.isStopped) return;
    const { maxConnections } = this.#parts.options;
    const connections = this.#open.value;
    const descriptors = openDescriptors();
    if (!this.#isPaused) {
      const isFull = connections >= maxConnections || descriptors >= this.#maxDescriptors;
      if (isFull) this.#pause(connections, descriptors);
      return;
    }
    const hasRoom =
      connections <= lowered(maxConnections) && descriptors <= lowered(this.#maxDescriptors);
    if (hasRoom && !this.#isResuming) void this.#resume(connections);
  }

  #pause(connections: number, descriptors: number): void {
    const { listener, counters, logger } = this.#parts;
    if (!listener.pause()) return;
    this.#isPaused = true;
    counters.add(COUNTER.listenPauses);
    logger.log("listenPaused", { connections, descriptors });
  }

  async #resume(connections: number): Promise<void> {
    const { listener, logger } = this.#parts;
    this.#isResuming = true;
    const isListening = await listener.resume();
    this.#isResuming = false;
    if (isListening) {
      this.#isPaused = false;
      this.#isPortTaken = false;
      logger.log("listenResumed", { connections });
    } else if (!this.#isPortTaken) {
      this.#isPortTaken = true;
      logger.log("listenPortTaken");
    }
  }
}

/** Returns the value below which a limit has room again. */
function lowered(limit: number): number {
  return limit - Math.max(1, Math.ceil(limit * ROOM_SHARE));
}
