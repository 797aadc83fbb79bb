/**
 * Counts the system calls of a process with `perf stat`, by the kernel's tracepoints.
 *
 * Only perf counts all calls with little overhead: strace stops the process at each call, eBPF
 * needs tools that are missing on most machines, and /proc counts only reads and writes of files.
 * Counting the TCP segments of the server's sockets (`segments`) needs no permissions at all.
 *
 * Runs on: the process of `load:calls`.
 */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

/** The tracepoint of all calls. */
const ALL = "raw_syscalls:sys_enter";
/** Calls that send to sockets. A server uses one or more of them. */
const SENDING = ["sendto", "sendmsg", "sendmmsg", "writev", "write"] as const;
/** Excludes a `write` of 8 bytes, which wakes a thread (eventfd). No delivery is that short. */
const WRITE_FILTER = "count > 8";

/** System calls counted over some time. */
export interface Calls {
  readonly seconds: number;
  /** Number of calls that send. */
  readonly sends: number;
  readonly all: number;
}

/** Returns the reason why perf cannot count here, with advice, or undefined if it can. */
export function whyPerfDoesNotCount(): string | undefined {
  const { status, stderr, error } = spawnSync("perf", [...wordsFor(process.pid), "--", "true"], {
    encoding: "utf8",
  });
  if (error !== undefined) return adviceFor("", (error as NodeJS.ErrnoException).code);
  return status === 0 ? undefined : adviceFor(stderr, undefined);
}

/** Returns advice for a failed perf. Pure. */
export function adviceFor(stderr: string, code: string | undefined): string {
  if (code === "ENOENT") {
    return (
      "perf is not installed: install linux-perf (Debian), linux-tools-$(uname -r) (Ubuntu) or " +
      "perf (Fedora, Arch)"
    );
  }
  if (/permission|paranoid|privilege|access/i.test(stderr)) {
    return (
      "perf is not allowed to count system calls: run as root, or allow it with `sudo sysctl " +
      "kernel.perf_event_paranoid=-1` and `sudo mount -o remount,mode=755 /sys/kernel/tracing`"
    );
  }
  return `perf cannot count system calls here: ${stderr.trim().split("\n").at(-1) ?? code ?? "it failed"}`;
}

/** Counts calls for some seconds. @throws Error with perf's output if it fails */
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
 * Parses the output of `perf stat -x,`: lines of `count,unit,event,...`. Pure.
 *
 * @throws Error if an event is missing
 */
export function readCounts(report: string): Omit<Calls, "seconds"> {
  const counts = new Map<string, number>();
  for (const line of report.split("\n")) {
    const [count, , event] = line.split(",");
    // `<not counted>` means that the process did not run.
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

/** Returns perf's arguments. A filter applies to the event before it. */
function wordsFor(pid: number): string[] {
  const events = [ALL, ...SENDING.map(enterOf)].flatMap((event) => ["-e", event]);
  return ["stat", "-x,", ...events, "--filter", WRITE_FILTER, "-p", String(pid)];
}
