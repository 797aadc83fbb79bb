/**
 * Counts the system calls of a process with `perf stat`, by the kernel's tracepoints.
 *
 * perf is the one way that counts all calls and hardly disturbs: strace stops a process at each, eBPF
 * needs what few machines have, and /proc counts reads and writes of files only. What takes no right
 * at all is to count the TCP segments of the server's sockets (`segments`).
 *
 * Runs on: the process of `load:calls`.
 */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

/** All calls; in the kernel's own words for it. */
const ALL = "raw_syscalls:sys_enter";
/** Calls that send to sockets. Nobody uses all of them; which one is used is not our affair. */
const SENDING = ["sendto", "sendmsg", "sendmmsg", "writev", "write"] as const;
/** A `write` of 8 bytes wakes a thread (eventfd); no delivery is that short. */
const WRITE_FILTER = "count > 8";

/** System calls within some time. */
export interface Calls {
  readonly seconds: number;
  /** Calls that send. */
  readonly sends: number;
  readonly all: number;
}

/** Why perf counts nothing here, and what to do about it; undefined: it does. */
export function whyPerfDoesNotCount(): string | undefined {
  const { status, stderr, error } = spawnSync("perf", [...wordsFor(process.pid), "--", "true"], {
    encoding: "utf8",
  });
  if (error !== undefined) return adviceFor("", (error as NodeJS.ErrnoException).code);
  return status === 0 ? undefined : adviceFor(stderr, undefined);
}

/** Says in words what a failed perf needs. Pure. */
export function adviceFor(stderr: string, code: string | undefined): string {
  if (code === "ENOENT") {
    return (
      "perf is not installed: install linux-perf (Debian), linux-tools-$(uname -r) (Ubuntu) or " +
      "perf (Fedora, Arch)"
    );
  }
  if (/permission|paranoid|privilege|access/i.test(stderr)) {
    return (
      "perf may not count system calls: run as root, or allow it with `sudo sysctl " +
      "kernel.perf_event_paranoid=-1` and `sudo mount -o remount,mode=755 /sys/kernel/tracing`"
    );
  }
  return `perf counts no system calls here: ${stderr.trim().split("\n").at(-1) ?? code ?? "it failed"}`;
}

/** Counts for so long. @throws Error with perf's words where it does not */
export async function countCalls(pid: number, seconds: number): Promise<Calls> {
  const child = spawn("perf", [...wordsFor(pid), "--", "sleep", String(seconds)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let report = "";
  child.stderr.on("data", (chunk: Buffer) => {
    report += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`perf stat of process ${pid} failed:\n${report}`);
  return { seconds, ...readCounts(report) };
}

/**
 * Reads what `perf stat -x,` writes: lines of `count,unit,event,...`. Pure.
 *
 * @throws Error where an event is missing
 */
export function readCounts(report: string): Omit<Calls, "seconds"> {
  const counts = new Map<string, number>();
  for (const line of report.split("\n")) {
    const [count, , event] = line.split(",");
    // `<not counted>` where the process did not run meanwhile.
    if (count === undefined || event === undefined) continue;
    counts.set(event, count === "<not counted>" ? 0 : Number(count));
  }
  const of = (event: string): number => {
    const count = counts.get(event);
    if (count === undefined || Number.isNaN(count)) {
      throw new Error(`perf must count ${event}, got:\n${report}`);
    }
    return count;
  };
  const sends = SENDING.reduce((sum, call) => sum + of(enterOf(call)), 0);
  return { sends, all: of(ALL) };
}

function enterOf(call: string): string {
  return `syscalls:sys_enter_${call}`;
}

/** A filter is that of the event before it. */
function wordsFor(pid: number): string[] {
  const events = [ALL, ...SENDING.map(enterOf)].flatMap((event) => ["-e", event]);
  return ["stat", "-x,", ...events, "--filter", WRITE_FILTER, "-p", String(pid)];
}
