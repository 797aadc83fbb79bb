import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Sweep, tickFor } from "../../src/transport/sweep.ts";

describe("the sweep", () => {
  it("calls each task on each tick, with the number of the tick", (test) => {
    test.mock.timers.enable({ apis: ["setTimeout"] });
    const sweep = new Sweep(100);
    const calls: [string, number][] = [];
    sweep.add((tick) => void calls.push(["a", tick]));
    sweep.add((tick) => void calls.push(["b", tick]));
    test.mock.timers.tick(1_000);
    assert.deepEqual(calls, []);
    sweep.start();
    test.mock.timers.tick(99);
    assert.equal(sweep.tick, 0);
    test.mock.timers.tick(1);
    test.mock.timers.tick(100);
    assert.deepEqual(calls, [
      ["a", 1],
      ["b", 1],
      ["a", 2],
      ["b", 2],
    ]);
    assert.equal(sweep.tick, 2);
    sweep.stop();
    test.mock.timers.tick(1_000);
    assert.equal(sweep.tick, 2);
  });

  it("has set the next tick before it calls a task, which main may end", (test) => {
    const due: (() => void)[] = [];
    test.mock.method(globalThis, "setTimeout", (tick: () => void) => due.push(tick));
    const sweep = new Sweep(100);
    let dueInTask = 0;
    sweep.add(() => {
      dueInTask = due.length;
    });
    sweep.start();
    due.shift()?.();
    assert.equal(dueInTask, 1);
  });

  it("may be stopped before it was started", () => {
    new Sweep(100).stop();
  });

  it("ticks often enough for the smallest limit, every 10 ms to 1 s", () => {
    assert.equal(tickFor(60_000), 1_000);
    assert.equal(tickFor(60_000, 2_000), 250);
    assert.equal(tickFor(250), 31.25);
    assert.equal(tickFor(50, 60_000), 10);
  });

  it("lets an idle connection live for its limit, and at most a quarter longer", () => {
    for (const timeoutMs of [250, 1_000, 2_000, 8_000, 60_000]) {
      const tickMs = tickFor(timeoutMs);
      // As the WebSocket transport counts: closed at the first tick that is more than this many away.
      const idleTicks = Math.ceil(timeoutMs / tickMs) + 1;
      const least = idleTicks * tickMs;
      const most = (idleTicks + 1) * tickMs;
      assert.ok(
        least >= timeoutMs && most <= timeoutMs * 1.25,
        `${timeoutMs}: ${least} to ${most}`,
      );
    }
  });
});
