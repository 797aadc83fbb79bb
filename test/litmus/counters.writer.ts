/** The writer of counters.test.ts. */
import { workerData } from "node:worker_threads";
import { Counters } from "../../src/memory/counters.ts";
import { COUNTER } from "../../src/memory/counters-layout.ts";

const { shared, stop } = workerData as { shared: SharedArrayBuffer; stop: Int32Array };
const counters = new Counters(shared, 0);
const value = new Float64Array(1);
const halves = new Uint32Array(value.buffer);

for (let half = 1; Atomics.load(stop, 0) === 0; half = (half + 0x0001_2345) & 0x3fff_ffff) {
  halves.fill(half);
  counters.set(COUNTER.heapBytes, value[0] as number);
}
