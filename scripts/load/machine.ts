/**
 * The machine of a run, as shown in its report.
 *
 * Runs on: the load test's process.
 */

import { arch, availableParallelism, cpus, release, totalmem, type } from "node:os";

/** A machine. */
export interface Machine {
  readonly processor: string;
  /** Number of threads of this process that can run at once. */
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
