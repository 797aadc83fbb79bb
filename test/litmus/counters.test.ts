/**
 * One thread sets a counter to doubles whose two halves are alike, and adds to another by
 * steps that carry into its upper half; this one reads them.
 *
 *   both halves alike; a total not below that of before   allowed
 *   halves that differ; a total that goes back            forbidden
 *
 * Seen to fail with: MUTATION_LINE
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import { litmusDeadlineMs, litmusRounds, startWorker } from "../support/litmus.ts";

const READS = litmusRounds(1);

it("shows no value that is half old and half new", async () => {
  const shared = makeCountersMemory(1);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const url = new URL("./counters.writer.js", import.meta.url);
  const ended = startWorker(url, { shared, stop }).exited("the end of the writer");
  const value = new Float64Array(1);
  const halves = new Uint32Array(value.buffer);

  const deadline = performance.now() + litmusDeadlineMs();
  let changes = 0;
  let total = 0;
  for (let reads = 0; reads < READS || changes < 1_000; reads += 1) {
    const read = readCounters(shared, 0);
    value[0] = read.heapBytes;
    if (halves[0] !== halves[1]) assert.fail(`halves ${halves[0]} and ${halves[1]}`);
    if (read.bytesOut < total) assert.fail(`total ${read.bytesOut} after ${total}`);
    if (read.bytesOut > total) changes += 1;
    total = read.bytesOut;
    if (performance.now() > deadline) assert.fail(`only ${changes} changes came in time`);
  }
  Atomics.store(stop, 0, 1);
  await ended;
});
