/**
 * One thread notes callbacks and stands still in one of them, while this one reads its note.
 *
 *   while it stands still, the callback that began last    allowed
 *   any other, or a mixture of two                         forbidden
 *
 * Seen to fail with: the event's length written only if the topic changes.
 *
 * Slow: a race needs many rounds.
 */
import assert from "node:assert/strict";
import { it } from "node:test";

import { makeRunningMemory, readRunning } from "../../src/memory/running.ts";
import { litmusDeadlineMs, litmusRounds, startWorker } from "../support/litmus.ts";
import { callbackOf } from "./running.writer.ts";

const ROUNDS = litmusRounds(20);

it("shows the callback that a thread stands still in", async (test) => {
  const shared = makeRunningMemory(1);
  const steps = new Int32Array(new SharedArrayBuffer(8));
  const url = new URL("./running.writer.js", import.meta.url);
  const ended = startWorker(test, url, { shared, steps, rounds: ROUNDS }).exited("the writer");
  const deadline = performance.now() + litmusDeadlineMs();
  for (let round = 1; round <= ROUNDS; round += 1) {
    while (Atomics.load(steps, 0) < round) {
      if (performance.now() > deadline) assert.fail(`only ${round} rounds were seen in time`);
    }
    assert.deepEqual(readRunning(shared, 0), callbackOf(round));
    Atomics.store(steps, 1, round);
    Atomics.notify(steps, 1);
  }
  await ended;
});
