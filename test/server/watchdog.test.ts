import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { lifeBytes } from "../../src/memory/life-layout.ts";
import { Life } from "../../src/memory/life.ts";
import { Watchdog, type WatchedThread } from "../../src/server/watchdog.ts";

const STALL_CHECKS = 3;

/** A watchdog of two threads, whose beats the test makes. */
class Kennel {
  readonly said: string[] = [];
  /** Members that have been stuck for another stall time. */
  readonly still: number[] = [];
  readonly life = new Life(new SharedArrayBuffer(lifeBytes(2)));
  threads: (WatchedThread & { readonly member: number })[] = [
    { member: 0, isStuck: false },
    { member: 1, isStuck: false },
  ];
  readonly watchdog = new Watchdog(this.life, STALL_CHECKS * 100, () => this.threads, {
    onStuck: ({ member }) => this.said.push(`${member} stuck`),
    onStillStuck: ({ member }) => this.still.push(member),
    onTurning: ({ member }, forMs) => this.said.push(`${member} turns after ${forMs} ms`),
    onAllStuck: (forMs) => this.said.push(`all stuck for ${forMs} ms`),
  });

  /** Lets some threads beat, and looks. */
  check(times: number, ...beating: readonly number[]): void {
    for (let at = 0; at < times; at += 1) {
      for (const member of beating) this.life.beat(member);
      this.watchdog.check();
    }
  }
}

describe("the watchdog", () => {
  it("says once that a thread is stuck, when it has not beaten for the stall time", () => {
    const kennel = new Kennel();
    kennel.check(1, 0, 1);
    kennel.check(STALL_CHECKS - 1, 0);
    assert.deepEqual(kennel.said, []);
    kennel.check(5, 0);
    assert.deepEqual(kennel.said, ["1 stuck"]);
    assert.deepEqual(
      kennel.threads.map(({ isStuck }) => isStuck),
      [false, true],
    );
  });

  it("says with each further stall time that it is still stuck", () => {
    const kennel = new Kennel();
    kennel.check(1, 0, 1);
    kennel.check(STALL_CHECKS * 2 - 1, 0);
    assert.deepEqual(kennel.still, []);
    kennel.check(1, 0);
    assert.deepEqual(kennel.still, [1]);
    kennel.check(STALL_CHECKS, 0);
    assert.deepEqual(kennel.still, [1, 1]);
    kennel.check(1, 0, 1);
    kennel.check(STALL_CHECKS, 0);
    assert.deepEqual(kennel.still, [1, 1]);
  });

  it("says that it turns again, and for how long it stood still", () => {
    const kennel = new Kennel();
    kennel.check(1, 0, 1);
    kennel.check(7, 0);
    kennel.check(2, 0, 1);
    assert.deepEqual(kennel.said, ["1 stuck", "1 turns after 700 ms"]);
    assert.equal(kennel.threads[1]?.isStuck, false);
  });

  it("does not add up pauses that are shorter than the stall time", () => {
    const kennel = new Kennel();
    for (let round = 0; round < 5; round += 1) {
      kennel.check(1, 0, 1);
      kennel.check(STALL_CHECKS - 1, 0);
    }
    assert.deepEqual(kennel.said, []);
  });

  it("begins to count when it first sees a thread", () => {
    const kennel = new Kennel();
    kennel.check(STALL_CHECKS);
    assert.deepEqual(kennel.said, []);
    kennel.check(1);
    assert.deepEqual(kennel.said, ["0 stuck", "1 stuck"]);
  });

  it("says that all are stuck after 30 stall times, but not while one turns or none is there", () => {
    const kennel = new Kennel();
    kennel.check(1, 0, 1);
    kennel.check(30 * STALL_CHECKS + 10, 0);
    assert.deepEqual(kennel.said, ["1 stuck"]);
    kennel.check(30 * STALL_CHECKS - 1);
    assert.deepEqual(kennel.said, ["1 stuck", "0 stuck"]);
    kennel.check(1);
    assert.deepEqual(kennel.said, ["1 stuck", "0 stuck", "all stuck for 9000 ms"]);
    kennel.threads = [];
    kennel.check(1);
    assert.equal(kennel.said.length, 3);
  });
});
