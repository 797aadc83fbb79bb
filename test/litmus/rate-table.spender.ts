/** A spender of rate-table.test.ts. Both spenders wait for each other at the start and end of a round. */
import { parentPort, workerData } from "node:worker_threads";
import { RateTable, type RateTableMemory } from "../../src/memory/rate-table.ts";

const UNITS = 64;
/** The cost of one request: 10 ms. */
const COST = 10 * UNITS;
const BURST = 5;
const TOLERANCE = BURST * COST;
/** Time between rounds, in which the bucket regains two requests. */
const ROUND_MS = 20;
const PER_ROUND = 2;
const PASSED = 0;
const ARRIVED = 1;
const SPINS = 5_000;

interface Given {
  readonly memory: RateTableMemory;
  readonly words: Int32Array;
  readonly rounds: number;
  readonly spenders: number;
}

const { memory, words, rounds, spenders } = workerData as Given;
const table = new RateTable(memory);
const parking = new Int32Array(new SharedArrayBuffer(4));
let meetings = 0;

function meet(): void {
  meetings += spenders;
  Atomics.add(words, ARRIVED, 1);
  for (let spins = 1; Atomics.load(words, ARRIVED) < meetings; spins += 1) {
    if (spins % SPINS === 0) Atomics.wait(parking, 0, 0, 0.05);
  }
}

let tooMany: string | undefined;
for (let round = 1; round <= rounds; round += 1) {
  meet();
  // Each spends until it is refused, so both compete for the last request of the bucket in every round.
  while (table.spend(1, 2, round * ROUND_MS, COST, TOLERANCE) === 0) Atomics.add(words, PASSED, 1);
  meet();
  const passed = Atomics.load(words, PASSED);
  const most = BURST + (round - 1) * PER_ROUND;
  if (passed > most) tooMany ??= `${passed} passed by round ${round}, of at most ${most}`;
}
parentPort?.postMessage({ tooMany, passed: Atomics.load(words, PASSED), rounds });
