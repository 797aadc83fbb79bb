import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import {
  CoalescingWindow,
  leftMs,
  makeCoalescingWindow,
} from "../../src/pubsub/coalescing-window.ts";

describe("a coalescing window", () => {
  it("has its tasks called once when it ends, in the order in which they were added", async () => {
    const window = new CoalescingWindow(1);
    const calls: string[] = [];
    window.onEnd(() => void calls.push("first"));
    const ended = new Promise<void>((resolve) => {
      window.onEnd(() => {
        calls.push("second");
        resolve();
      });
    });
    window.open();
    window.open();
    assert.deepEqual(calls, []);
    await ended;
    window.end();
    assert.deepEqual(calls, ["first", "second"]);
  });

  it("can be ended before its time, and opened again", () => {
    const window = new CoalescingWindow(60_000);
    let calls = 0;
    window.onEnd(() => void (calls += 1));
    window.end();
    assert.equal(calls, 0);
    for (const expected of [1, 2]) {
      window.open();
      window.end();
      assert.equal(calls, expected);
    }
  });

  it("may be opened again by a task of its own", () => {
    const window = new CoalescingWindow(60_000);
    let calls = 0;
    window.onEnd(() => {
      calls += 1;
      if (calls === 1) window.open();
    });
    window.open();
    window.end();
    window.end();
    assert.equal(calls, 2);
  });

  it("ends at the multiples of its length, for all threads alike", () => {
    assert.deepEqual(
      [0, 0.2, 4, 4.5, 5, 7].map((nowMs) => leftMs(nowMs, 5)),
      [5, 5, 1, 1, 5, 3],
    );
    const now = fc.double({ min: 0, max: 1e12, noNaN: true });
    fc.assert(
      fc.property(now, fc.integer({ min: 1, max: 1_000 }), (nowMs, lengthMs) => {
        const left = leftMs(nowMs, lengthMs);
        assert.ok(Number.isInteger(left) && left >= 1 && left <= lengthMs, `${left}`);
        // Within the millisecond by which it is rounded up.
        assert.ok((nowMs + left) % lengthMs < 1.001 || lengthMs === 1, `${nowMs} ${left}`);
      }),
    );
  });

  it("is none where its length is 0", () => {
    assert.equal(makeCoalescingWindow(0), undefined);
    assert.ok(makeCoalescingWindow(1));
  });
});
