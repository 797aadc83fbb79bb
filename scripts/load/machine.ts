/**
 * The machine that a run was made on, as its report names it.
 *
 * Runs on: the load test's process.
 */

import { arch, availableParallelism, cpus, release, totalmem, type } from "node:os";

/** A machine. */
export interface Machine {
  readonly processor: string;
  /** Threads that may run at once, for this process. */
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
}

/** Describes this machine. */
export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() || "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()} ${arch()}`,
    node: process.version,
  };
}
