/**
 * The number of CPUs available to this process, taking the quota of a container into account.
 *
 * Node.js counts the CPUs that the process may run on, but ignores CPU quotas: in a container
 * started with `--cpus=2` on a machine with 64 CPUs, it reports 64. Starting more shards than the
 * quota allows only causes throttling.
 *
 * Runs on: main, before any shard starts.
 */

import { availableParallelism } from "node:os";
import { join } from "node:path/posix";

import {
  readSystemFile,
  smallestLimit,
  type GroupFolder,
  type ReadFile,
} from "./control-groups.ts";

const MAX_SHARDS = 64;

/** The operating system, or its replacement in tests. */
export interface CpuSource {
  /** Returns the number of CPUs that this process may run on. */
  readonly parallelism: () => number;
  readonly readFile: ReadFile;
}

const SYSTEM: CpuSource = { parallelism: availableParallelism, readFile: readSystemFile };

/** Returns the CPUs available to this process, rounded down, from 1 to 64. */
export function availableCpus({ parallelism, readFile }: CpuSource = SYSTEM): number {
  const quota = smallestLimit("cpu", readFile, (folder) => quotaIn(folder, readFile));
  return Math.max(1, Math.floor(Math.min(parallelism(), quota, MAX_SHARDS)));
}

/**
 * Reads the quota of a group (CPUs). Version 2 has one file: "50000 100000" is half a CPU, "max 100000" is unlimited.
 * Version 1 has two; -1 is unlimited.
 */
function quotaIn({ version, path }: GroupFolder, readFile: ReadFile): number {
  if (version === 2) {
    const [quota, period] = (readFile(join(path, "cpu.max")) ?? "").trim().split(" ");
    return cpusOf(quota, period);
  }
  return cpusOf(
    readFile(join(path, "cpu.cfs_quota_us")),
    readFile(join(path, "cpu.cfs_period_us")),
  );
}

function cpusOf(quotaText: string | undefined, periodText: string | undefined): number {
  const quota = Number(quotaText);
  const period = Number(periodText);
  return quota > 0 && period > 0 ? quota / period : Infinity;
}
