import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SubscriptionIndex } from "../../src/pubsub/subscription-index.ts";
import { subscriptionIndexBytes } from "../../src/pubsub/subscription-index-layout.ts";

function makeIndexes(members: number, indexBits = 3): SubscriptionIndex[] {
  const layout = { indexBits, members };
  const shared = new SharedArrayBuffer(subscriptionIndexBytes(layout));
  return Array.from({ length: members }, (_, n) => new SubscriptionIndex(shared, layout, n));
}

/** Returns the members whose bits are set in a slot. */
function membersOf(index: SubscriptionIndex | undefined, slot: number): number[] {
  const found: number[] = [];
  if (index === undefined) return found;
  for (let word = 0; word < index.wordsPerSlot; word += 1) {
    for (let bit = 0; bit < 32; bit += 1) {
      if ((index.word(slot, word) & (1 << bit)) !== 0) found.push(word * 32 + bit);
    }
  }
  return found;
}

describe("SubscriptionIndex", () => {
  it("shows a member from its first subscription in a slot until after its last", () => {
    const [a, b] = makeIndexes(2);
    b?.add(5);
    b?.add(5);
    assert.deepEqual(membersOf(a, 5), [1]);
    b?.remove(5);
    assert.deepEqual(membersOf(a, 5), [1]);
    b?.remove(5);
    assert.deepEqual(membersOf(a, 5), []);
  });

  it("keeps slots and members apart, up to 70 members", () => {
    const indexes = makeIndexes(70);
    for (const member of [0, 31, 32, 63, 64, 69]) indexes[member]?.add(2);
    indexes[31]?.add(3);
    assert.deepEqual(membersOf(indexes[1], 2), [0, 31, 32, 63, 64, 69]);
    const found = Array.from({ length: 70 }, (_, member) => member).filter((member) =>
      indexes[1]?.has(2, member),
    );
    assert.deepEqual(found, [0, 31, 32, 63, 64, 69]);
    assert.deepEqual(membersOf(indexes[1], 3), [31]);
    indexes[31]?.remove(2);
    assert.deepEqual(membersOf(indexes[1], 2), [0, 32, 63, 64, 69]);
  });

  it("takes the slot from the upper bits of the hash", () => {
    const [index] = makeIndexes(1);
    assert.equal(index?.slotOf(0), 0);
    assert.equal(index?.slotOf(-1), 7);
    assert.equal(index?.slotOf(0x2000_0000), 1);
    assert.equal(index?.slotOf(-0x8000_0000), 4);
  });

  it("removes a member from every slot, and leaves the others", () => {
    const [a, b] = makeIndexes(2);
    for (let slot = 0; slot < 8; slot += 1) b?.add(slot);
    a?.add(3);
    a?.clearMember(1);
    assert.equal(a?.stats().used, 1);
    assert.deepEqual(membersOf(b, 3), [0]);
  });

  it("ignores removals after its member has ended", () => {
    const [a] = makeIndexes(1);
    a?.add(1);
    a?.add(2);
    a?.clear();
    a?.remove(1);
    a?.remove(2);
    assert.deepEqual([membersOf(a, 1), membersOf(a, 2)], [[], []]);
  });

  it("removes itself from every slot, and leaves the others", () => {
    const [a, b] = makeIndexes(2);
    for (const slot of [1, 3]) a?.add(slot);
    for (const slot of [3, 4]) b?.add(slot);
    a?.clear();
    assert.deepEqual(
      [1, 3, 4].map((slot) => membersOf(b, slot)),
      [[], [1], [1]],
    );
  });

  it("reports how many slots are used", () => {
    const [a, b] = makeIndexes(40);
    a?.add(0);
    b?.add(0);
    b?.add(7);
    assert.deepEqual(a?.stats(), { slots: 8, used: 2, fill: 0.25 });
  });

  it("refuses to remove what was not added", () => {
    const [a] = makeIndexes(1);
    assert.throws(() => a?.remove(4), {
      code: "SIM_ERR_INTERNAL",
      message: "remove without add, slot=4 count=0",
    });
  });
});
