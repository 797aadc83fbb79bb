/**
 * The number of CPUs that this process can use, also in a container.
 *
 * Runs on: main, before any shard starts.
 *
 * Node.js counts the CPUs that the process may run on, but ignores quotas: a container with
 * `--cpus=2` on a machine with 64 CPUs sees 64. More shards than the quota would only throttle each
 * other. A quota can be set on any control group from our own up to the root.
 */

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path/posix";

const MAX_SHARDS = 64;
const GROUPS_FILE = "/proc/self/cgroup";
const GROUPS_ROOT = "/sys/fs/cgroup";
/** Line of one hierarchy: number, controllers (empty in version 2), group. */
const GROUP_LINE = /^\d+:(?<controllers>[^:]*):(?<group>\/.*)$/;

/** What is read from the operating system. Tests replace it. */
export interface CpuSource {
  /** CPUs that this process may run on. */
  readonly parallelism: () => number;
  /** Returns the text of a file; undefined if it cannot be read. */
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

/** Returns the CPUs of this process, rounded down, from 1 to 64. */
export function availableCpus(source: CpuSource = SYSTEM): number {
  const cpus = Math.min(source.parallelism(), cpuQuota(source.readFile), MAX_SHARDS);
  return Math.max(1, Math.floor(cpus));
}

/** Returns the smallest quota of our groups (CPUs); Infinity if there is none. */
function cpuQuota(readFile: CpuSource["readFile"]): number {
  const quotas = (readFile(GROUPS_FILE) ?? "").split("\n").map((line) => {
    const { controllers, group } = GROUP_LINE.exec(line)?.groups ?? {};
    if (controllers === undefined || group === undefined) return Infinity;
    if (controllers === "")
      return smallestUpwards(GROUPS_ROOT, group, (at) => quotaV2(readFile, at));
    if (!controllers.split(",").includes("cpu")) return Infinity;
    // The folder is named after all controllers of the hierarchy, and has a link for each.
    const roots = [join(GROUPS_ROOT, controllers), join(GROUPS_ROOT, "cpu")];
    return Math.min(
      ...roots.map((root) => smallestUpwards(root, group, (at) => quotaV1(readFile, at))),
    );
  });
  return Math.min(...quotas);
}

/** Returns the smallest quota from a group's folder up to the root. */
function smallestUpwards(root: string, group: string, quotaAt: (folder: string) => number): number {
  let smallest = Infinity;
  // A group outside of the container's namespace starts with "/..", and resolves to the root.
  for (let at = resolve("/", group); ; at = dirname(at)) {
    smallest = Math.min(smallest, quotaAt(join(root, at)));
    if (at === "/") return smallest;
  }
}

/** Version 2: "50000 100000" is half a CPU, "max 100000" has no limit. */
function quotaV2(readFile: CpuSource["readFile"], folder: string): number {
  const [quota, period] = (readFile(join(folder, "cpu.max")) ?? "").trim().split(" ");
  return cpusOf(quota, period);
}

/** Version 1: one file each for quota and period; a quota of -1 has no limit. */
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
