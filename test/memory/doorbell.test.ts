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

  it("wakes its owner, which waits", async () => {
    const { owner, presser } = makeWorld();
    owner.arm();
    const pressed = owner.wait();
    assert.ok(pressed !== undefined);
    assert.equal(presser.press(1), true);
    await within(pressed, "the press", 5_000);
  });

  it("does not wait if it was pressed between arming and waiting", () => {
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

  it("also wakes an owner that a presser, which died half-way, has left asleep", async () => {
    const { owner, presser } = makeWorld();
    owner.arm();
    const pressed = owner.wait();
    assert.ok(pressed !== undefined);
    presser.pressAlways(1);
    await within(pressed, "the press", 5_000);
  });

  it("wakes a napping member, even between its check and its sleep", () => {
    const { owner, presser } = makeWorld();
    const woken: boolean[] = [];
    assert.equal(presser.wakeNapper(1), false);
    const look = (): boolean => {
      woken.push(presser.wakeNapper(1));
      return false;
    };
    assert.equal(owner.nap(look, 5_000), true);
    assert.deepEqual(woken, [true]);
    assert.equal(presser.wakeNapper(1), false);
  });

  it("does not nap if the check finds something, or longer than the time limit", () => {
    const { owner } = makeWorld();
    assert.equal(
      owner.nap(() => true, 5_000),
      true,
    );
    assert.equal(
      owner.nap(() => false, 1),
      false,
    );
  });

  it("keeps a nap separate from the sleep of the event loop", async () => {
    const { owner, presser } = makeWorld();
    owner.arm();
    const pressed = owner.wait();
    assert.ok(pressed !== undefined);
    owner.nap(() => presser.wakeNapper(1), 60_000);
    assert.equal(presser.press(1), true);
    await within(pressed, "the press");
  });

  for (const startSequence of [-2, 0x7fff_fffe]) {
    it(`wakes if the sequence wraps past ${startSequence}`, () => {
      const { owner, presser } = makeWorld(startSequence);
      owner.arm();
      assert.deepEqual([presser.press(1), presser.press(1)], [true, false]);
      assert.equal(owner.wait(), undefined);
      owner.disarm();
      owner.arm();
      assert.equal(presser.press(1), true);
    });
  }

  it("tells a napping thread whether it was woken or the time ran out", () => {
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
