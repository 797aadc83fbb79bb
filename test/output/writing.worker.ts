/**
 * A thread that writes lines and ends at once.
 *
 * Runs on: a thread of its own.
 */

import { workerData } from "node:worker_threads";

import { Counters } from "../../src/memory/counters.ts";
import { OutputQueue } from "../../src/output/output-queue.ts";
import { STDERR, type OutputMemory } from "../../src/output/queue-layout.ts";

const { memory, counters, producer, count } = workerData as {
  readonly memory: OutputMemory;
  readonly counters: SharedArrayBuffer;
  readonly producer: number;
  readonly count: number;
};
const queue = new OutputQueue(memory, producer, new Counters(counters, producer));
for (let n = 0; n < count; n += 1) queue.write(STDERR, `${producer} ${n}\n`);
process.exit();
