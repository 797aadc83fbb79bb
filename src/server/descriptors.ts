/**
 * The file descriptors of the process: how many it may have, and how many it has.
 *
 * Runs on: main.
 */

import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { devNull } from "node:os";

/** Assumed where the system does not tell. */
const UNKNOWN_LIMIT = 10_240;
const MAX_LIMIT = 10_000_000;

/** Returns how many descriptors the process may have (RLIMIT_NOFILE). */
export function descriptorLimit(file = "/proc/self/limits"): number {
  try {
    const [, soft = ""] = /^Max open files\s+(\S+)/m.exec(readFileSync(file, "utf8")) ?? [];
    if (soft === "unlimited") return MAX_LIMIT;
    return Number.isInteger(Number.parseInt(soft, 10)) ? Number(soft) : UNKNOWN_LIMIT;
  } catch {
    return UNKNOWN_LIMIT;
  }
}

/**
 * Returns how many descriptors the process has. Before Linux 6.2 and on other systems, returns the
 * lowest free one, which is a lower bound; Infinity if none is free.
 */
export function openDescriptors(): number {
  // Its size is the number of descriptors, since Linux 6.2. Takes no descriptor itself.
  const size = statSync("/proc/self/fd", { throwIfNoEntry: false })?.size ?? 0;
  return size > 0 ? size : lowestFree();
}

function lowestFree(): number {
  try {
    const descriptor = openSync(devNull, "r");
    closeSync(descriptor);
    return descriptor;
  } catch {
    return Infinity;
  }
}
