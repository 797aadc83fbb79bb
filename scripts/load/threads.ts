/**
 * CPU by thread, context switches and memory of a process, as counted by the system (Linux).
 *
 * `/proc/PID/task/TID/schedstat` contains the time that a thread ran, in nanoseconds. `stat`
 * contains ticks of 10 ms, which are too coarse for an interval of a second.
 *
 * Runs on: the load test's process.
 */

import { readFileSync, readdirSync } from "node:fs";

/** The name and CPU of a thread. */
export interface ThreadCpu {
  /** Name shown by the system. Node.js names its threads since version 24. */
  readonly name: string;
  readonly ranNs: number;
}

/**
 * Reads the CPU use of each thread of a process, by thread id; empty if there is no such process.
 */
export function readThreads(pid: number): ReadonlyMap<number, ThreadCpu> {
  const threads = new Map<number, ThreadCpu>();
  for (const id of filesOf(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${id}`;
    const ranNs = Number(textOf(`${folder}/schedstat`)?.split(" ")[0] ?? "none");
    if (!Number.isFinite(ranNs)) continue;
    threads.set(Number(id), { name: (textOf(`${folder}/comm`) ?? "").trim(), ranNs });
  }
  return threads;
}

/** The context switches of a process or thread since its start. */
export interface Switches {
  /** The thread waited for something, such as the next message. */
  readonly voluntary: number;
  /** The thread could have run on, but another one got its core. */
  readonly involuntary: number;
}

/**
 * Reads the context switches of all threads of a process; null if there is no such process. A thread that has
 * ended is not counted, so the sum can fall.
 */
export function readSwitches(pid: number): Switches | null {
  const counts = filesOf(`/proc/${pid}/task`).flatMap(
    (id) => switchesIn(textOf(`/proc/${pid}/task/${id}/status`) ?? "") ?? [],
  );
  if (counts.length === 0) return null;
  return {
    voluntary: counts.reduce((sum, { voluntary }) => sum + voluntary, 0),
    involuntary: counts.reduce((sum, { involuntary }) => sum + involuntary, 0),
  };
}

/** Parses the context switches of a thread from the text of its `status`; null if a value is missing. */
export function switchesIn(status: string): Switches | null {
  const [voluntary, involuntary] = ["voluntary", "nonvoluntary"].map((name) => {
    const found = new RegExp(`^${name}_ctxt_switches:\\s+(\\d+)$`, "m").exec(status);
    return found === null ? undefined : Number(found[1]);
  });
  return voluntary === undefined || involuntary === undefined ? null : { voluntary, involuntary };
}

/** Reads RssAnon + RssShmem of a process in bytes, as native-bench does. */
export function readMemory(pid: number): number | null {
  const status = textOf(`/proc/${pid}/status`);
  return status === undefined ? null : memoryIn(status);
}

/** Parses RssAnon + RssShmem from the text of `/proc/PID/status`; null if a value is missing. */
export function memoryIn(status: string): number | null {
  const [anonymous, shared] = ["RssAnon", "RssShmem"].map((name) => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status);
    return found === null ? undefined : Number(found[1]) * 1_024;
  });
  return anonymous === undefined || shared === undefined ? null : anonymous + shared;
}

/** Reads the total busy time of all cores of the machine, in nanoseconds. */
export function readBusyNs(): number | null {
  const line = textOf("/proc/stat")?.split("\n", 1)[0];
  return line === undefined ? null : busyIn(line);
}

const TICK_NS = 10_000_000;

/** Parses the busy time from the first line of `/proc/stat`: all but idle, iowait and guest times. */
export function busyIn(line: string): number | null {
  const [user, nice, system, , , interrupts, soft, stolen] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const parts = [user, nice, system, interrupts, soft, stolen];
  const ticks = parts.reduce((sum: number, part = Number.NaN) => sum + part, 0);
  return Number.isFinite(ticks) ? ticks * TICK_NS : null;
}

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // The process has ended.
    return [];
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // The thread or process has ended, or this is not Linux.
    return undefined;
  }
}
