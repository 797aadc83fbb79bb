/**
 * The clock of rate limits: whole milliseconds that never go back, the same on all threads.
 *
 * `performance.now()` counts from the start of its thread. Both it and `process.hrtime` read the
 * system's monotonic clock, so what lies between them is one number for each thread.
 *
 * Runs on: any thread.
 */

/** Gives the time (ms). */
export type Clock = () => number;

const NS_PER_MS = 1_000_000n;
const threadStartMs = Number(process.hrtime.bigint() / NS_PER_MS) - performance.now();

/** Gives the time since some moment that all threads of this machine agree on (ms, whole). */
export function monotonicMs(): number {
  return Math.floor(threadStartMs + performance.now());
}
