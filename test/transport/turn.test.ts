import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";

import { NEW_PER_TURN, Turn } from "../../src/transport/turn.ts";

const BUDGET_MS = 10;
const ALWAYS_REQUESTS = 8;

let turn: Turn;

function spend(durationMs: number): void {
  const end = performance.now() + durationMs;
  while (performance.now() < end);
}

describe("A turn", () => {
  beforeEach(() => {
    turn = new Turn();
  });

  it("has time until its budget is spent, and again in the next turn", async () => {
    assert.equal(turn.isSpent(), false);
    spend(BUDGET_MS);
    assert.equal(turn.isSpent(), true);
    await nextTurn();
    assert.equal(turn.isSpent(), false);
  });

  it("takes a few requests in any case, unless their bodies are large", async () => {
    turn.isSpent();
    spend(BUDGET_MS);
    const taken = Array.from({ length: ALWAYS_REQUESTS + 2 }, () => turn.takesRequest());
    assert.deepEqual(
      taken.map((is, n) => is === n < ALWAYS_REQUESTS),
      taken.map(() => true),
    );
    await nextTurn();
    turn.isSpent();
    turn.countBody(32_769);
    spend(BUDGET_MS);
    assert.equal(turn.takesRequest(), false);
  });

  it("takes as many requests for WebSockets as new connections are read in a turn, in any case", async () => {
    turn.isSpent();
    turn.countBody(32_769);
    spend(BUDGET_MS);
    assert.equal(turn.takesRequest(), false);
    for (let count = 0; count < NEW_PER_TURN; count += 1) assert.ok(turn.takesUpgrade());
    assert.equal(turn.takesUpgrade(), false);
    await nextTurn();
    assert.equal(turn.takesUpgrade(), true);
  });

  it("takes any number of requests while it has time", () => {
    const taken = Array.from({ length: 100 }, () => turn.takesRequest());
    assert.ok(!taken.includes(false) || turn.isSpent());
  });

  it("does what waits in order, as much as fits into each turn, and at least one of it", async () => {
    const done: number[] = [];
    const left: number[] = [];
    for (let n = 0; n < 6; n += 1) {
      turn.later(() => {
        done.push(n);
        spend(BUDGET_MS);
      });
    }
    while (turn.size > 0) {
      await nextTurn();
      left.push(turn.size);
    }
    assert.deepEqual(done, [0, 1, 2, 3, 4, 5]);
    assert.ok(left.length >= 3, `${left.join()} left after each turn`);
  });

  it("does what is added meanwhile after all that waits", async () => {
    const done: string[] = [];
    turn.later(() => {
      done.push("a");
      turn.later(() => done.push("again a"));
    });
    turn.later(() => done.push("b"));
    while (turn.size > 0) await nextTurn();
    assert.deepEqual(done, ["a", "b", "again a"]);
  });

  it("is shorter by what its broadcasts will cost, and overcharged if that alone is too much", async () => {
    turn.charge(10_000, 100);
    assert.deepEqual([turn.isSpent(), turn.isOvercharged], [false, false]);
    turn.charge(10_000, 1_000);
    assert.deepEqual([turn.isSpent(), turn.isOvercharged], [true, true]);
    await nextTurn();
    assert.deepEqual([turn.isSpent(), turn.isOvercharged], [false, false]);
  });

  it("calls its listeners at its end, before anything that waited", async () => {
    const done: string[] = [];
    turn.onEnd(() => done.push("end"));
    turn.later(() => done.push("work"));
    while (turn.size > 0) await nextTurn();
    assert.deepEqual(done.slice(0, 2), ["end", "work"]);
  });
});
