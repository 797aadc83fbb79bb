import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import * as fc from "fast-check";

import {
  BURST,
  BurstWindow,
  CoalescingWindow,
  LatePresses,
  leftMs,
  makeCoalescingWindow,
} from "../../src/pubsub/holding-windows.ts";

describe("a coalescing window", () => {
  it("calls its tasks once when it ends, in the order in which they were added", async () => {
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

  it("can be ended early, and opened again", () => {
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

  it("may be opened again by one of its tasks", () => {
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

  it("ends at multiples of its length, the same for all threads", () => {
    assert.deepEqual(
      [0, 0.2, 4, 4.5, 5, 7].map((nowMs) => leftMs(nowMs, 5)),
      [5, 5, 1, 1, 5, 3],
    );
    const now = fc.double({ min: 0, max: 1e12, noNaN: true });
    fc.assert(
      fc.property(now, fc.integer({ min: 1, max: 1_000 }), (nowMs, lengthMs) => {
        const left = leftMs(nowMs, lengthMs);
        assert.ok(Number.isInteger(left) && left >= 1 && left <= lengthMs, `${left}`);
        // Rounding up adds less than a millisecond.
        assert.ok((nowMs + left) % lengthMs < 1.001 || lengthMs === 1, `${nowMs} ${left}`);
      }),
    );
  });

  it("does not exist if its length is 0", () => {
    assert.equal(makeCoalescingWindow(0), undefined);
    assert.ok(makeCoalescingWindow(1));
  });
});

/** Offers broadcasts to a window, and opens it for those to hold. @returns how many are held */
function takenOf(window: BurstWindow, broadcasts: number): number {
  let taken = 0;
  for (let at = 0; at < broadcasts; at += 1) {
    if (!window.takes()) continue;
    taken += 1;
    window.open();
  }
  return taken;
}

describe("a burst window", () => {
  it("holds none of a few broadcasts, and all but the first of many", () => {
    const window = new BurstWindow();
    assert.equal(takenOf(window, BURST), 0);
    assert.equal(takenOf(window, 50), 50);
    window.end();
  });

  it("ends with the turn of the loop, once, and starts counting again", async () => {
    const window = new BurstWindow();
    let ends = 0;
    window.onEnd(() => void (ends += 1));
    takenOf(window, BURST + 5);
    assert.equal(ends, 0);
    await turn();
    assert.equal(ends, 1);
    await turn();
    assert.equal(ends, 1);
    assert.equal(takenOf(window, BURST + 1), 1);
    window.end();
  });

  it("can be ended at once, and is then not ended again by the turn", async () => {
    const window = new BurstWindow();
    let ends = 0;
    window.onEnd(() => void (ends += 1));
    window.end();
    assert.equal(ends, 0);
    takenOf(window, BURST + 1);
    window.end();
    assert.equal(ends, 1);
    await turn();
    assert.equal(ends, 1);
  });
});

describe("late presses", () => {
  const RING_BYTES = 1_000;

  let window: CoalescingWindow;
  let pressed: number[];
  let presses: LatePresses;

  beforeEach(() => {
    window = new CoalescingWindow(60_000);
    pressed = [];
    const press = (member: number): void => void pressed.push(member);
    presses = new LatePresses(window, { members: 4, ringBytes: RING_BYTES }, press);
  });

  it("come at the end of the window, one for each member that was written to", () => {
    for (const member of [3, 1, 3, 3]) assert.equal(presses.mayWait(member, 100), true);
    assert.deepEqual(pressed, []);
    window.end();
    assert.deepEqual(pressed, [1, 3]);
    window.end();
    assert.deepEqual(pressed, [1, 3]);
  });

  it("come before half a ring is exceeded, for that member only, which then starts again", () => {
    presses.mayWait(1, 100);
    assert.equal(presses.mayWait(2, RING_BYTES / 2), true);
    assert.equal(presses.mayWait(2, 1), false);
    assert.deepEqual(pressed, [2]);
    assert.equal(presses.mayWait(2, RING_BYTES / 2), true);
    window.end();
    assert.deepEqual(pressed, [2, 1, 2]);
  });

  it("do not apply to a record larger than half a ring, which is pressed for at once", () => {
    assert.equal(presses.mayWait(2, RING_BYTES), false);
    window.end();
    assert.deepEqual(pressed, [2]);
  });

  it("come at once on request", () => {
    presses.mayWait(1, 100);
    presses.pressAll();
    assert.deepEqual(pressed, [1]);
    window.end();
    assert.deepEqual(pressed, [1]);
  });
});
