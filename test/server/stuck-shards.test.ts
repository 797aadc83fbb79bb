/**
 * What main reports about stuck shards. What it does about them is in test/integration/stuck.
 *
 * Runs on: the test's thread, and a worker that is taken for a stuck one.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Worker } from "node:worker_threads";

import { Logger } from "../../src/log/logger.ts";
import { Counters, makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import { makeRunningMemory } from "../../src/memory/running.ts";
import { StuckShards, type StuckThread } from "../../src/server/stuck-shards.ts";
import { telemetry } from "../../src/telemetry.ts";
import { within } from "../support/deadline.ts";

let worker: Worker;
let reports: string[];
let ended: Promise<void>;
let onceEnded: () => void;
let counters: SharedArrayBuffer;
let stuck: StuckShards;

function thread(hasEnded = false): StuckThread {
  return { member: 0, shard: 3, threadId: worker.threadId, isStuck: true, hasEnded };
}

function onEvent(event: unknown): void {
  const { isStuck } = event as { readonly isStuck: boolean };
  reports.push(isStuck ? "event: stuck" : "event: not stuck");
  if (!isStuck) onceEnded();
}

describe("the reports about a stuck shard", () => {
  beforeEach(async () => {
    worker = new Worker("setInterval(() => {}, 1_000)", { eval: true });
    await once(worker, "online");
    reports = [];
    ended = new Promise((resolve) => {
      onceEnded = resolve;
    });
    const note = (_: object, text: string): void => {
      reports.push(text.replace(/:.*/, ""));
    };
    counters = makeCountersMemory(1);
    stuck = new StuckShards({
      running: makeRunningMemory(1),
      stallMs: 2_000,
      counters: new Counters(counters, 0),
      logger: new Logger("debug", { debug: note, info: note, warn: note, error: note }),
    });
    telemetry.shard_stuck.subscribe(onEvent);
  });
  afterEach(async () => {
    await worker.terminate();
    telemetry.shard_stuck.unsubscribe(onEvent);
  });

  it("are in order, even if it turns again before it has shown its stack", async () => {
    const held = thread();
    stuck.begin(held);
    assert.equal(readCounters(counters, 0).stuckShards, 1);
    stuck.end(held, 2_100);
    assert.equal(readCounters(counters, 0).stuckShards, 0);
    await within(ended, "the report of the end");
    assert.deepEqual(reports, [
      "shard stuck",
      "event: stuck",
      "a stuck shard runs again",
      "event: not stuck",
    ]);
  });

  it("do not say that it turns again if its thread has ended", async () => {
    const held = thread(true);
    stuck.begin(held);
    stuck.end(held, 2_100);
    await within(ended, "the report of the end");
    assert.deepEqual(reports, ["shard stuck", "event: stuck", "event: not stuck"]);
  });
});
