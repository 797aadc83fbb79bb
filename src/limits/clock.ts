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

const NS_PER_MS = 1e6;
/** A thread that is interrupted between two reads of the clock gets a better measurement in another try. */
const TRIES = 8;

const threadStartMs = measureThreadStart();

/** Returns whole milliseconds since a fixed point in time, which is the same for all threads. */
export function monotonicMs(): number {
  return Math.floor(threadStartMs + performance.now());
}

/** Returns when this thread's `performance.now()` was 0 on the system's monotonic clock, to about a microsecond (ms). */
function measureThreadStart(): number {
  let startMs = 0;
  let shortestMs = Infinity;
  for (let count = 0; count < TRIES; count += 1) {
    const beforeMs = performance.now();
    const systemMs = Number(process.hrtime.bigint()) / NS_PER_MS;
    const afterMs = performance.now();
    if (afterMs - beforeMs >= shortestMs) continue;
    shortestMs = afterMs - beforeMs;
    startMs = systemMs - (beforeMs + afterMs) / 2;
  }
  return startMs;
}
