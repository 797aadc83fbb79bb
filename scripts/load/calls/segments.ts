/**
 * Counts the TCP segments that leave a port of this machine, by what the kernel keeps of each socket.
 *
 * `ss` (iproute2) shows it to everybody, without any right. On loopback a call that sends makes one
 * segment, up to 64 KB: so their number is that of the calls, found without perf. It is not where a
 * socket's window is full, as what waits for room goes together then.
 *
 * Runs on: the process of `load:calls`.
 */

import { spawnSync } from "node:child_process";

/** Output of `ss` for 20 000 sockets, and more. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Segments with data that had left a port's sockets at some moment. */
export interface SegmentCount {
  readonly atMs: number;
  readonly segments: number;
}

/** Counts those of the sockets that are open now. @returns undefined where there is no `ss` */
export function countSegments(port: number): SegmentCount | undefined {
  const { status, stdout } = spawnSync("ss", ["-tinOH", "sport", "=", `:${port}`], {
    encoding: "utf8",
    maxBuffer: MAX_BYTES,
  });
  return status === 0 ? { atMs: performance.now(), segments: readSegments(stdout) } : undefined;
}

/** Adds up `data_segs_out` of all sockets in what `ss -ti` writes; one that sent none has none. Pure. */
export function readSegments(text: string): number {
  const counts = text.matchAll(/\bdata_segs_out:(\d+)/g);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Segments a second between two counts; undefined where one is missing. */
export function segmentsPerSecond(
  before: SegmentCount | undefined,
  after: SegmentCount | undefined,
): number | undefined {
  if (before === undefined || after === undefined) return undefined;
  return ((after.segments - before.segments) * 1_000) / (after.atMs - before.atMs);
}
