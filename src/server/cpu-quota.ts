/**
 * The number of CPUs available to this process, taking the quota of a container into account.
 *
 * Node.js counts the CPUs that the process may run on, but ignores CPU quotas: in a container
 * started with `--cpus=2` on a machine with 64 CPUs, it reports 64. Starting more shards than the
 * quota allows only causes throttling. The quota can be set on this process's control group or on
 * any of its parents.
 *
 * Runs on: main, before any shard starts.
 */

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path/posix";

const MAX_SHARDS = 64;
const GROUPS_FILE = "/proc/self/cgroup";
const GROUPS_ROOT = "/sys/fs/cgroup";
/** A line of /proc/self/cgroup: hierarchy number, controllers (empty in version 2), group. */
const GROUP_LINE = /^\d+:(?<controllers>[^:]*):(?<group>\/.*)$/;

/** The operating system, or its replacement in tests. */
export interface CpuSource {
  /** Returns the number of CPUs that this process may run on. */
  readonly parallelism: () => number;
  /** Returns a file's text, or undefined if it cannot be read. */
  readonly readFile: (path: string) => string | undefined;
}

const SYSTEM: CpuSource = {
  parallelism: availableParallelism,
  readFile(path) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  },
};

/** Returns the CPUs available to this process, rounded down, from 1 to 64. */
export function availableCpus(source: CpuSource = SYSTEM): number {
  const cpus = Math.min(source.parallelism(), cpuQuota(source.readFile), MAX_SHARDS);
  return Math.max(1, Math.floor(cpus));
}

/**
 * Returns the smallest quota of this process's control groups (CPUs), or Infinity if there is none.
 */
function cpuQuota(readFile: CpuSource["readFile"]): number {
  const quotas = (readFile(GROUPS_FILE) ?? "").split("\n").map((line) => {
    const { controllers, group } = GROUP_LINE.exec(line)?.groups ?? {};
    if (controllers === undefined || group === undefined) return Infinity;
    if (controllers === "")
      return smallestUpwards(GROUPS_ROOT, group, (at) => quotaV2(readFile, at));
    if (!controllers.split(",").includes("cpu")) return Infinity;
    // The hierarchy's folder is named after all of its controllers. Each single controller's name
    // is a link to it.
    const roots = [join(GROUPS_ROOT, controllers), join(GROUPS_ROOT, "cpu")];
    return Math.min(
      ...roots.map((root) => smallestUpwards(root, group, (at) => quotaV1(readFile, at))),
    );
  });
  return Math.min(...quotas);
}

/** Returns the smallest quota found between a group's folder and the root. */
function smallestUpwards(root: string, group: string, quotaAt: (folder: string) => number): number {
  let smallest = Infinity;
  // A group outside the container's namespace begins with "/..", which resolves to the root.
  for (let at = resolve("/", group); ; at = dirname(at)) {
    smallest = Math.min(smallest, quotaAt(join(root, at)));
    if (at === "/") return smallest;
  }
}

/** Reads a version 2 quota: "50000 100000" is half a CPU, "max 100000" is unlimited. */
function quotaV2(readFile: CpuSource["readFile"], folder: string): number {
  const [quota, period] = (readFile(join(folder, "cpu.max")) ?? "").trim().split(" ");
  return cpusOf(quota, period);
}

/** Reads a version 1 quota, which has two files; -1 is unlimited. */
function quotaV1(readFile: CpuSource["readFile"], folder: string): number {
  return cpusOf(
    readFile(join(folder, "cpu.cfs_quota_us")),
    readFile(join(folder, "cpu.cfs_period_us")),
  );
}

function cpusOf(quotaText: string | undefined, periodText: string | undefined): number {
  const quota = Number(quotaText);
  const period = Number(periodText);
  return quota > 0 && period > 0 ? quota / period : Infinity;
}
