/**
 * One thread sets a counter to doubles whose two halves are equal, and this one reads it.
 *
 *   equal halves          allowed
 *   different halves      forbidden
 *
 * Seen to fail with: the double stored as two words, one after the other.
 *
 * Slow: a race needs many rounds.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import { litmusDeadlineMs, litmusRounds, startWorker } from "../support/litmus.ts";

const READS = litmusRounds(1 / 5);

it("shows no value that is half old and half new", async (test) => {
  const shared = makeCountersMemory(1);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const url = new URL("./counters.writer.js", import.meta.url);
  const ended = startWorker(test, url, { shared, stop }).exited("the end of the writer");
  const value = new Float64Array(1);
  const halves = new Uint32Array(value.buffer);

  const deadline = performance.now() + litmusDeadlineMs();
  let changes = 0;
  let last: number | undefined = 0;
  for (let reads = 0; reads < READS || changes < 1_000; reads += 1) {
    value[0] = readCounters(shared, 0).heapBytes;
    if (halves[0] !== halves[1]) assert.fail(`halves ${halves[0]} and ${halves[1]}`);
    if (halves[0] !== last) changes += 1;
    last = halves[0];
    if (performance.now() > deadline) assert.fail(`only ${changes} changes were seen in time`);
  }
  Atomics.store(stop, 0, 1);
  await ended;
});
