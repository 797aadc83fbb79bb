/**
 * A thread of the test of the clock: reads it whenever the test asks.
 *
 * Runs on: a worker thread of the test.
 */

import { workerData } from "node:worker_threads";

import { monotonicMs } from "../../src/limits/clock.ts";

/** `turns`: how many reads the test has asked for, and how many are done. `readings`: the result of each. */
const { turns, readings } = workerData as { turns: Int32Array; readings: Float64Array };

for (let turn = 1; turn <= readings.length; turn += 1) {
  while (Atomics.load(turns, 0) < turn);
  readings[turn - 1] = monotonicMs();
  Atomics.store(turns, 1, turn);
}
