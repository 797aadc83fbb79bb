/**
 * The clock for rate limits: monotonic, in whole milliseconds, and the same on all threads.
 *
 * `performance.now()` counts from the start of its thread. Both it and `process.hrtime` read the
 * system's monotonic clock, so they differ by a constant for each thread.
 *
 * Runs on: any thread.
 */

/** Returns the current time (ms). */
export type Clock = () => number;

const NS_PER_MS = 1_000_000n;
const threadStartMs = Number(process.hrtime.bigint() / NS_PER_MS) - performance.now();

/** Returns whole milliseconds since a fixed point in time, which is the same for all threads. */
export function monotonicMs(): number {
  return Math.floor(threadStartMs + performance.now());
}
