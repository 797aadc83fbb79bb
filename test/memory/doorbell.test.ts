import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Doorbell } from "../../src/memory/doorbell.ts";
import { DOORBELL_WORDS, SEQUENCE_WORD, doorbellBytes } from "../../src/memory/doorbell-layout.ts";
import { within } from "../support/deadline.ts";

interface World {
  readonly owner: Doorbell;
  readonly presser: Doorbell;
}

function makeWorld(startSequence = 0): World {
  const shared = new SharedArrayBuffer(doorbellBytes(2));
  new Int32Array(shared)[DOORBELL_WORDS + SEQUENCE_WORD] = startSequence;
  return { owner: new Doorbell(shared, 1), presser: new Doorbell(shared, 0) };
}

describe("Doorbell", () => {
  it("is not pressed while its owner is awake", () => {
    assert.equal(makeWorld().presser.press(1), false);
  });

  it("wakes its owner that waits", async () => {
    const { owner, presser } = makeWorld();
    owner.arm();
    const pressed = owner.wait();
    assert.ok(pressed !== undefined);
    assert.equal(presser.press(1), true);
    await within(pressed, "the press", 5_000);
  });

  it("does not wait when it was pressed between arming and waiting", () => {
    const { owner, presser } = makeWorld();
    owner.arm();
    presser.press(1);
    assert.equal(owner.wait(), undefined);
  });

  it("is pressed once for each sleep", () => {
    const { owner, presser } = makeWorld();
    owner.arm();
    assert.deepEqual([presser.press(1), presser.press(1)], [true, false]);
    owner.disarm();
    assert.equal(presser.press(1), false);
    owner.arm();
    assert.deepEqual([presser.press(1), presser.press(1)], [true, false]);
  });

  it("wakes also who was left asleep by a presser that died half-way", async () => {
    const { owner, presser } = makeWorld();
    owner.arm();
    const pressed = owner.wait();
    assert.ok(pressed !== undefined);
    presser.pressAlways(1);
    await within(pressed, "the press", 5_000);
  });

  it("wakes who naps, and not where the look finds something", () => {
    const { owner, presser } = makeWorld();
    const looks: boolean[] = [];
    owner.nap(() => true, 60_000);
    assert.equal(presser.press(1), false);
    // The press comes between look and sleep: the nap does not begin.
    owner.nap(() => {
      looks.push(presser.press(1));
      return false;
    }, 60_000);
    assert.deepEqual(looks, [true]);
    owner.nap(() => false, 1);
    assert.equal(presser.press(1), false);
  });

  it("wakes an event loop that sleeps, whether pressed within a nap or after it", async () => {
    for (const isWithin of [true, false]) {
      const { owner, presser } = makeWorld();
      owner.arm();
      const pressed = owner.wait();
      assert.ok(pressed !== undefined);
      owner.nap(() => {
        if (isWithin) presser.press(1);
        return true;
      }, 60_000);
      if (!isWithin) assert.equal(presser.press(1), true);
      await within(pressed, "the press");
    }
  });

  for (const startSequence of [-2, 0x7fff_fffe]) {
    it(`wakes where the sequence wraps past ${startSequence}`, () => {
      const { owner, presser } = makeWorld(startSequence);
      owner.arm();
      assert.deepEqual([presser.press(1), presser.press(1)], [true, false]);
      assert.equal(owner.wait(), undefined);
      owner.disarm();
      owner.arm();
      assert.equal(presser.press(1), true);
    });
  }

  it("tells a thread that stands still whether it was pressed or the time ran out", () => {
    const { owner, presser } = makeWorld();
    owner.arm();
    assert.equal(owner.waitBlocking(1), false);
    presser.press(1);
    assert.equal(owner.waitBlocking(5_000), true);
  });

  it("leaves other members asleep", () => {
    const shared = new SharedArrayBuffer(doorbellBytes(3));
    const [presser, owner, other] = [0, 1, 2].map((member) => new Doorbell(shared, member));
    owner?.arm();
    other?.arm();
    presser?.press(1);
    assert.equal(other?.waitBlocking(0), false);
  });
});
