/**
 * A thread queues a line and waits until it is written; the writer falls asleep whenever it has
 * written everything. So every line meets a writer that is asleep, or that is falling asleep.
 *
 *   the line is written                    allowed
 *   the line stays in its ring             forbidden
 *
 * Seen to fail with: the sleep word stored after the last look at the rings; no look at the rings after
 * the sleep word is stored.
 */

import assert from "node:assert/strict";
import { openSync } from "node:fs";
import { it } from "node:test";

import { Counters, makeCountersMemory } from "../../src/memory/counters.ts";
import { makeRingViews, RingConsumer } from "../../src/memory/ring.ts";
import { OutputQueue } from "../../src/output/output-queue.ts";
import { OutputThread } from "../../src/output/output-thread.ts";
import { makeOutputMemory, outputRing, STDOUT } from "../../src/output/queue-layout.ts";
import { litmusRounds, LOST_AFTER_MS, makeRandom, pause } from "../support/litmus.ts";

const ROUNDS = litmusRounds(10);

it("wakes the writer for each line, or finds it awake", async (test) => {
  const memory = makeOutputMemory(1, 1);
  const nowhere = openSync("/dev/null", "w");
  const settings = { descriptors: [nowhere, nowhere], restMs: 0 };
  const thread = new OutputThread(memory, { dropped: undefined, failed: undefined }, settings);
  test.after(async () => thread.stop());
  const queue = new OutputQueue(memory, 0, new Counters(makeCountersMemory(1), 0));
  const ring = new RingConsumer(makeRingViews(memory.shared), outputRing(memory, 0, STDOUT));
  const random = makeRandom(7);
  for (let round = 0; round < ROUNDS; round += 1) {
    assert.ok(queue.write(STDOUT, `${round}\n`));
    const lateMs = performance.now() + LOST_AFTER_MS;
    while (ring.usedBytes() > 0) {
      assert.ok(performance.now() < lateMs, `line ${round} stays in its ring`);
    }
    pause(random);
  }
});
