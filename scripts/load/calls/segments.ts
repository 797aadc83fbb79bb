/**
 * Counts the TCP segments that leave a port of this machine, using the kernel's counters for each socket.
 *
 * `ss` (iproute2) shows them without any permissions. On loopback, a call that sends creates one
 * segment of up to 64 KB, so the number of segments equals the number of calls, and can be counted
 * without perf. The numbers differ if a socket's window is full, because waiting data is then sent
 * together.
 *
 * Runs on: the process of `load:calls`.
 */

import { spawnSync } from "node:child_process";

/** Enough for the output of `ss` for more than 20 000 sockets. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The number of segments with data that the sockets of a port had sent up to some moment. */
export interface SegmentCount {
  readonly atMs: number;
  readonly segments: number;
}

/** Counts the segments of all currently open sockets. @returns undefined without `ss` */
export function countSegments(port: number): SegmentCount | undefined {
  const { status, stdout } = spawnSync("ss", ["-tinOH", "sport", "=", `:${port}`], {
    encoding: "utf8",
    maxBuffer: MAX_BYTES,
  });
  return status === 0 ? { atMs: performance.now(), segments: readSegments(stdout) } : undefined;
}

/**
 * Sums up `data_segs_out` in the output of `ss -ti`; the field is missing for sockets that have
 * sent nothing. Pure.
 */
export function readSegments(text: string): number {
  const counts = text.matchAll(/\bdata_segs_out:(\d+)/g);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Returns the segments per second between two counts; undefined if a count is missing. */
export function segmentsPerSecond(
  before: SegmentCount | undefined,
  after: SegmentCount | undefined,
): number | undefined {
  if (before === undefined || after === undefined) return undefined;
  return ((after.segments - before.segments) * 1_000) / (after.atMs - before.atMs);
}
