import assert from "node:assert/strict";
import { it } from "node:test";

import { monotonicMs } from "../../src/limits/clock.ts";
import { LOST_AFTER_MS, startWorker } from "../support/litmus.ts";

const THREADS = 4;
const READS = 2_000;
/** Both threads measure when they started, each to a microsecond or so; a read may fall between. */
const MAX_BEHIND = READS / 100;

it("The clock of limits is the same on all threads", async (test) => {
  for (let thread = 0; thread < THREADS; thread += 1) {
    const turns = new Int32Array(new SharedArrayBuffer(8));
    const readings = new Float64Array(new SharedArrayBuffer(READS * 8));
    const url = new URL("./clock.worker.js", import.meta.url);
    startWorker(test, url, { turns, readings });
    let behind = 0;
    for (let turn = 1; turn <= READS; turn += 1) {
      const beforeMs = monotonicMs();
      Atomics.store(turns, 0, turn);
      while (Atomics.load(turns, 1) < turn) {
        assert.ok(monotonicMs() - beforeMs < LOST_AFTER_MS, "no answer from the other thread");
      }
      const there = readings[turn - 1] ?? Number.NaN;
      if (there < beforeMs || monotonicMs() < there) behind += 1;
    }
    assert.ok(
      behind <= MAX_BEHIND,
      `${behind} of ${READS} reads of another thread are not between two of this`,
    );
  }
});
