import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";

import {
  beatsWord,
  closedWord,
  DRAINING_WORD,
  LATE_WORD,
  LIFE_WORDS,
  lifeBytes,
  READY_WORD,
  releasedWord,
  STOP_WORD,
  TIME_WORD,
} from "../../src/memory/life-layout.ts";
import { Life } from "../../src/memory/life.ts";
import { within } from "../support/deadline.ts";

/** Starts a member's thread; resolves when it runs. */
async function started(
  shared: SharedArrayBuffer,
  member: number,
  work: string,
): Promise<{ readonly next: () => Promise<unknown>; readonly exited: Promise<unknown> }> {
  const worker = new Worker(new URL("life.worker.js", import.meta.url), {
    workerData: { shared, member, work },
  });
  const exited = once(worker, "exit");
  const next = async (): Promise<unknown> => {
    const [message] = (await within(once(worker, "message"), `a word of member ${member}`)) as [
      unknown,
    ];
    return message;
  };
  assert.equal(await next(), "begun");
  return { next, exited };
}

describe("the life words", () => {
  it("are separate: each has its own place, and each member its own cache lines", () => {
    const words = new Set([STOP_WORD, READY_WORD, DRAINING_WORD, TIME_WORD, LATE_WORD]);
    for (let member = 0; member < 5; member += 1) {
      words.add(releasedWord(member));
      words.add(closedWord(member));
      words.add(beatsWord(member));
      assert.equal(releasedWord(member) % LIFE_WORDS, 0);
    }
    assert.equal(words.size, 20);
    assert.ok(Math.max(...words) < lifeBytes(5) / 4);
  });

  it("show for each member whether it is closed, and are reset for the next one with its number", () => {
    const life = new Life(new SharedArrayBuffer(lifeBytes(3)));
    life.close(1);
    assert.deepEqual(
      [0, 1, 2].map((member) => life.isClosed(member)),
      [false, true, false],
    );
    assert.equal(life.waitClosed(1, 0), true);
    life.release(1);
    life.reset(1);
    assert.equal(life.isClosed(1), false);
    assert.equal(life.waitReleased(1, 0), false);
  });

  it("show every thread whether the node is ready, and whether it drains", async () => {
    const shared = new SharedArrayBuffer(lifeBytes(2));
    const life = new Life(shared);
    assert.deepEqual([life.isReady, life.isDraining], [false, false]);
    const { exited, next } = await started(shared, 1, "readiness");
    for (const isReady of [true, false, true]) {
      life.setReady(isReady);
      if (!isReady) life.drain();
      const seen = next();
      life.release(1);
      assert.deepEqual(await seen, { isReady, isDraining: life.isDraining });
    }
    assert.equal(life.isDraining, true);
    assert.equal(life.waitClosed(1, 0), false, "no other word was touched");
    await within(exited, "the thread's end");
  });

  it("count the beats of each member, and forget them for the next one with its number", () => {
    const life = new Life(new SharedArrayBuffer(lifeBytes(2)));
    life.beat(1);
    life.beat(1);
    assert.deepEqual([life.beats(0), life.beats(1)], [0, 2]);
    life.reset(1);
    assert.equal(life.beats(1), 0);
    const words = new SharedArrayBuffer(lifeBytes(1));
    new Int32Array(words)[beatsWord(0)] = 0x7f_ff_ff_ff;
    const old = new Life(words);
    old.beat(0);
    assert.equal(old.beats(0), -0x80_00_00_00);
  });

  it("measure times across the wrap of the time word, and from a late tick", () => {
    const life = new Life(new SharedArrayBuffer(lifeBytes(1)));
    life.tick(0x7f_ff_ff_ff);
    const early = life.timeMs;
    life.tick(0x7f_ff_ff_ff + 20);
    assert.equal(life.sinceMs(early, 0x7f_ff_ff_ff + 30), 30);
    life.tick(0x7f_ff_ff_ff + 1_000);
    assert.equal(life.sinceMs(early, 0x7f_ff_ff_ff + 1_010), 10);
  });

  it("let a thread wait up to a time limit", () => {
    const life = new Life(new SharedArrayBuffer(lifeBytes(1)));
    const beforeMs = performance.now();
    assert.equal(life.waitClosed(0, 20), false);
    assert.ok(performance.now() - beforeMs >= 15);
  });

  it("wake a thread that waits to be released", async () => {
    const shared = new SharedArrayBuffer(lifeBytes(3));
    const { next, exited } = await started(shared, 2, "waitReleased");
    const life = new Life(shared);
    life.release(1);
    const released = next();
    life.release(2);
    assert.equal(await released, true);
    await within(exited, "the thread's end");
  });

  it("wake main, which blocks its event loop, when a member closes", async () => {
    const shared = new SharedArrayBuffer(lifeBytes(2));
    const { exited } = await started(shared, 1, "close");
    assert.equal(new Life(shared).waitClosed(1, 10_000), true);
    await within(exited, "the thread's end");
  });

  it("make all members close when main sets stop, while main blocks", async () => {
    const shared = new SharedArrayBuffer(lifeBytes(3));
    const threads = [await started(shared, 1, "stopped"), await started(shared, 2, "stopped")];
    const life = new Life(shared);
    life.stopAll();
    assert.equal(life.waitClosed(1, 10_000), true);
    assert.equal(life.waitClosed(2, 10_000), true);
    for (const { exited } of threads) await within(exited, "a thread's end");
  });

  it("resolve at once if stop was set before", async () => {
    const life = new Life(new SharedArrayBuffer(lifeBytes(1)));
    life.stopAll();
    await within(life.stopped(), "stop");
  });
});
