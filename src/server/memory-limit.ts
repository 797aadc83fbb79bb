/**
 * The memory available to this process: the limit of its container, or else that of the machine.
 *
 * Runs on: main, before any shard starts.
 */

import { totalmem } from "node:os";

/** The operating system, or its replacement in tests. */
export interface MemorySource {
  /** Memory of the machine (bytes). */
  readonly total: () => number;
  /** Limit of the process's control group (bytes); 0, undefined or a huge number if there is none. */
  readonly constrained: () => number | undefined;
}

const SYSTEM: MemorySource = {
  total: totalmem,
  constrained: () => process.constrainedMemory(),
};

/** Returns the memory available to this process (bytes). */
export function availableMemory(source: MemorySource = SYSTEM): number {
  const total = source.total();
  const constrained = source.constrained() ?? 0;
  return constrained > 0 ? Math.min(constrained, total) : total;
}
