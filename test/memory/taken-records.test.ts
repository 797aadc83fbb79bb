import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TakenRecords } from "../../src/memory/taken-records.ts";
import { drained, makeRing, tryWrite } from "../support/ring.ts";
import type { RingEnds } from "../support/ring.ts";

function write({ producer }: RingEnds, ...texts: string[]): void {
  for (const text of texts) assert.equal(tryWrite(producer, 7, Buffer.from(text)), true, text);
}

function takeOut({ consumer }: RingEnds, taken: TakenRecords, limitBytes = 1_000): boolean {
  const bytes = consumer.takeOut(limitBytes);
  if (bytes !== undefined) taken.add(bytes);
  return bytes !== undefined;
}

/** Returns the taken records as text. Also checks the length word of each. */
function read(taken: TakenRecords, limit = 1_000): string[] {
  const seen: string[] = [];
  const count = taken.drain((type, bytes, offset, length, words) => {
    assert.equal(type, 7);
    assert.equal(words[(offset >> 2) - 2], length + 8);
    seen.push(Buffer.from(bytes.subarray(offset, offset + length)).toString());
  }, limit);
  assert.equal(count, seen.length);
  return seen;
}

function throwHandler(): never {
  throw new Error("handler");
}

for (const startPosition of [0, 0x7fff_ffe8, -24]) {
  describe(`Records taken out of a ring at ${startPosition}`, () => {
    it("are read in order, and leave the whole ring free", () => {
      const ring = makeRing({ startPosition });
      const taken = new TakenRecords();
      for (const round of [1, 2, 3, 4, 5]) {
        // Each takes 24 of the ring's 256 bytes, so all rounds but one end with padding at the end of the ring.
        const texts = Array.from({ length: 9 }, (_, n) => `record ${round} ${n}`);
        write(ring, ...texts);
        assert.equal(takeOut(ring, taken), true);
        assert.equal(ring.producer.freeBytes(), 256);
        assert.deepEqual(read(taken, 4), texts.slice(0, 4));
        assert.deepEqual(read(taken), texts.slice(4));
        assert.equal(taken.usedBytes, 0);
      }
    });
  });
}

describe("Records taken out of a ring", () => {
  it("are undefined if the ring is empty", () => {
    const ring = makeRing();
    assert.equal(ring.consumer.takeOut(1_000), undefined);
    assert.deepEqual(read(new TakenRecords()), []);
  });

  it("are whole ones within the limit; the rest stays in the ring", () => {
    const ring = makeRing();
    const taken = new TakenRecords();
    write(ring, "one", "two", "three");
    assert.equal(takeOut(ring, taken, 15), false);
    assert.equal(takeOut(ring, taken, 47), true);
    assert.equal(taken.usedBytes, 32);
    assert.deepEqual(read(taken), ["one", "two"]);
    assert.deepEqual(drained(ring.consumer), ["7:three"]);
  });

  it("follow those that were taken before", () => {
    const ring = makeRing();
    const taken = new TakenRecords();
    write(ring, "one", "two");
    takeOut(ring, taken);
    assert.deepEqual(read(taken, 1), ["one"]);
    write(ring, "three");
    takeOut(ring, taken);
    assert.deepEqual(read(taken), ["two", "three"]);
  });

  it("count as read if their handler throws", () => {
    const ring = makeRing();
    const taken = new TakenRecords();
    write(ring, "one", "two");
    takeOut(ring, taken);
    assert.throws(() => taken.drain(throwHandler, 10), { message: "handler" });
    assert.deepEqual(read(taken), ["two"]);
  });
});
