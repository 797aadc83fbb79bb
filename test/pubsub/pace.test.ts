import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Pace, STALLED_AFTER_MS } from "../../src/pubsub/pace.ts";
import { drained, makeRing } from "../support/ring.ts";

/** A ring with a record in it, and the pace of its consumer. */
function paced(): { pace: Pace; move: () => void } {
  const { producer, consumer } = makeRing({ startPosition: -8 });
  const pace = new Pace(producer);
  producer.tryWrite(1, new Uint8Array(8));
  const move = (): void => {
    assert.equal(drained(consumer, 1).length, 1);
    producer.tryWrite(1, new Uint8Array(8));
  };
  return { pace, move };
}

describe("The pace of a member", () => {
  it("is stalled when its head stood still for long enough while something waits", () => {
    const { pace } = paced();
    assert.equal(pace.look(true, 1_000), undefined);
    assert.equal(pace.look(true, 1_000 + STALLED_AFTER_MS - 1), undefined);
    assert.equal(pace.isStalled, false);
    assert.equal(pace.look(true, 1_000 + STALLED_AFTER_MS), "stalled");
    assert.equal(pace.isStalled, true);
    assert.equal(pace.look(true, 2_000), undefined);
    assert.equal(pace.sinceMs, 1_000);
  });

  it("begins anew when the head moves, or nothing waits", () => {
    const { pace, move } = paced();
    pace.look(true, 0);
    move();
    assert.equal(pace.look(true, 60), undefined);
    assert.equal(pace.look(true, 109), undefined);
    assert.equal(pace.look(false, 130), undefined);
    assert.equal(pace.look(true, 500), undefined);
    assert.equal(pace.look(true, 550), "stalled");
  });

  it("goes on when the head moves, or nothing waits any more", () => {
    const { pace, move } = paced();
    for (const [isWaiting, change] of [[true, move] as const, [false, () => {}] as const]) {
      pace.look(true, 0);
      assert.equal(pace.look(true, 50), "stalled");
      change();
      assert.equal(pace.look(isWaiting, 60), "goes on");
      assert.equal(pace.isStalled, false);
      pace.look(false, 70);
    }
  });

  it("is worth a wait once, until the head moves", () => {
    const { pace, move } = paced();
    assert.deepEqual([pace.beginWait(), pace.beginWait()], [true, false]);
    move();
    assert.deepEqual([pace.beginWait(), pace.beginWait()], [true, false]);
  });

  it("is not worth a wait while it is stalled", () => {
    const { pace, move } = paced();
    pace.look(true, 0);
    pace.look(true, 50);
    assert.equal(pace.beginWait(), false);
    move();
    assert.equal(pace.beginWait(), true);
  });
});
