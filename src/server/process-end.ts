/**
 * Ends the process when a shard's thread can neither be ended nor interrupted, or has died.
 *
 * `process.exit` waits for such a thread for ever, or the engine aborts. So the process replaces itself by
 * one that exits with the code. Where Node.js cannot do that (before 22.15, and on Windows), it ends by
 * SIGKILL, which supervisors report as 137 or as the signal.
 *
 * Runs on: main.
 * Order: log lines are written before, as nothing of this process runs afterwards.
 */

import type { OutputThread } from "../output/output-thread.ts";

/** Exit codes of the process, besides 0, and 1 and 2 of the command line. */
export const EXIT = {
  /** No shard served any more (`server.failed`). */
  serverFailed: 70,
  /** The server was closed, but the thread of a shard could not be ended. */
  shardNotEnded: 71,
  /** The thread of a shard died with open connections: it ran out of memory. */
  shardDied: 72,
} as const;

type Execve = (
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
) => void;

/** Time for the last lines to be written (ms). After a shard has died, the engine aborts soon. */
const FLUSH_MS = 1_000;
const FLUSH_DIED_MS = 200;

/** Writes the last log lines, and ends the process without waiting for any thread. */
export function endProcess(code: number, output: OutputThread): never {
  output.flushNow(code === EXIT.shardDied ? FLUSH_DIED_MS : FLUSH_MS);
  const { execve } = process as { readonly execve?: Execve };
  try {
    process.removeAllListeners("warning");
    execve?.(process.execPath, [process.execPath, "-e", `process.exit(${code})`], {});
  } catch {
    // Not permitted, such as by Node.js's permission model.
  }
  process.kill(process.pid, "SIGKILL");
  // The signal has been delivered when this thread next enters the kernel.
  for (;;);
}
