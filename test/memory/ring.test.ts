import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RingProducer, emptyRing } from "../../src/memory/ring.ts";
import { drained, makeRing, tryWrite } from "../support/ring.ts";

const text = (value: string): Uint8Array => Buffer.from(value);

/** The largest payload of a 256-byte ring. */
const LARGEST = "x".repeat(24);

describe("Ring", () => {
  it("reads records in the order they were written", () => {
    const { producer, consumer } = makeRing();
    assert.equal(tryWrite(producer, 1, text("one")), true);
    assert.equal(tryWrite(producer, 2, text("two")), true);
    assert.deepEqual(drained(consumer), ["1:one", "2:two"]);
  });

  it("reads nothing from an empty ring", () => {
    assert.deepEqual(drained(makeRing().consumer), []);
  });

  it("transfers an empty record, and a type of any bits", () => {
    const { producer, consumer } = makeRing();
    tryWrite(producer, -2, text(""));
    tryWrite(producer, 0x7fff_ffff, text(""));
    assert.deepEqual(drained(consumer), ["-2:", "2147483647:"]);
  });

  it("writes nothing if the record does not fit into the free space", () => {
    const { producer, consumer } = makeRing();
    const written: string[] = [];
    while (tryWrite(producer, 1, text(LARGEST))) written.push(`1:${LARGEST}`);
    assert.equal(written.length, 8);
    assert.equal(tryWrite(producer, 2, text("")), false);
    assert.deepEqual(drained(consumer), written);
    assert.equal(tryWrite(producer, 2, text("")), true);
  });

  it("fills the end with padding and goes on at the start", () => {
    const { producer, consumer, views, place } = makeRing({ startPosition: 240 });
    assert.equal(tryWrite(producer, 1, text("0123456789")), true);
    assert.equal(views.bytes[place.recordsOffset + 8], "0".charCodeAt(0));
    assert.equal(consumer.usedBytes(), 16 + 24);
    assert.deepEqual(drained(consumer), ["1:0123456789"]);
  });

  it("writes up to the last byte without padding if the record ends there", () => {
    const { producer, consumer } = makeRing({ startPosition: 240 });
    tryWrite(producer, 1, text("01234567"));
    assert.equal(consumer.usedBytes(), 16);
    assert.deepEqual(drained(consumer), ["1:01234567"]);
  });

  it("has room for any record, wherever the tail is, while a quarter is free", () => {
    for (let startPosition = 0; startPosition < 256; startPosition += 8) {
      const { producer } = makeRing({ startPosition });
      while (producer.hasRoom()) assert.equal(tryWrite(producer, 1, text(LARGEST)), true);
    }
  });

  it("makes a claimed record visible only once it is committed", () => {
    const { producer, consumer, views } = makeRing();
    const offset = producer.claim(3, 4);
    views.bytes.set(text("half"), offset);
    assert.deepEqual(drained(consumer), []);
    producer.commit();
    assert.deepEqual(drained(consumer), ["3:half"]);
  });

  it("makes kept records visible with the next one that is committed", () => {
    const { producer, consumer, views } = makeRing();
    for (const type of [1, 2]) {
      views.bytes.set(text(`part${type}`), producer.claim(type, 5));
      producer.keep();
    }
    assert.equal(consumer.usedBytes(), 0);
    assert.deepEqual(drained(consumer), []);
    views.bytes.set(text("whole"), producer.claim(3, 5));
    producer.commit();
    assert.deepEqual(drained(consumer), ["1:part1", "2:part2", "3:whole"]);
  });

  it("forgets a claim that was not committed", () => {
    const { producer, consumer } = makeRing();
    producer.claim(3, 20);
    tryWrite(producer, 4, text("next"));
    assert.deepEqual(drained(consumer), ["4:next"]);
    assert.equal(producer.freeBytes(), 256);
  });

  it("stops at the limit and continues from there", () => {
    const { producer, consumer } = makeRing();
    for (const value of ["a", "b", "c"]) tryWrite(producer, 1, text(value));
    assert.deepEqual(drained(consumer, 2), ["1:a", "1:b"]);
    assert.deepEqual(drained(consumer), ["1:c"]);
  });

  it("returns room to the producer after a quarter of the ring", () => {
    const { producer, consumer } = makeRing();
    while (tryWrite(producer, 1, text(LARGEST)));
    assert.equal(
      consumer.drain(() => undefined, 100),
      2,
    );
    assert.equal(producer.freeBytes(), 64);
  });

  it("counts a record whose handler threw as read", () => {
    const { producer, consumer } = makeRing();
    tryWrite(producer, 1, text("bad"));
    tryWrite(producer, 1, text("good"));
    assert.throws(() => consumer.drain(() => assert.fail("handler"), 9), /handler/);
    assert.deepEqual(drained(consumer), ["1:good"]);
  });

  it("reports wanted room only while the producer asks and a quarter is free", () => {
    const { producer, consumer } = makeRing();
    while (tryWrite(producer, 1, text(LARGEST)));
    assert.equal(consumer.isRoomWanted(), false);
    producer.askForRoom();
    assert.equal(consumer.isRoomWanted(), false);
    drained(consumer, 1);
    assert.equal(consumer.isRoomWanted(), false);
    drained(consumer, 1);
    assert.equal(consumer.isRoomWanted(), true);
    producer.stopAskingForRoom();
    assert.equal(consumer.isRoomWanted(), false);
  });

  for (const startPosition of [0x7fff_ffe8, 2 ** 31 - 256, -24]) {
    it(`keeps its order when positions wrap past ${startPosition}`, () => {
      const { producer, consumer } = makeRing({ startPosition });
      const written: string[] = [];
      for (let round = 0; round < 200; round += 1) {
        const message = "m".repeat(round % 25);
        if (tryWrite(producer, round, text(message))) written.push(`${round}:${message}`);
        if (round % 7 === 6) assert.deepEqual(drained(consumer), written.splice(0));
      }
    });
  }

  it("is empty for both sides after it was emptied", () => {
    const { producer, consumer, views, place } = makeRing({ startPosition: -24 });
    while (tryWrite(producer, 1, text("old")));
    producer.askForRoom();
    emptyRing(views, place);
    assert.deepEqual(drained(consumer), []);
    assert.equal(consumer.isRoomWanted(), false);
    assert.equal(tryWrite(producer, 1, text("new")), true);
    assert.deepEqual(drained(consumer), ["1:new"]);
  });

  it("refuses a record larger than an eighth", () => {
    assert.throws(() => tryWrite(makeRing().producer, 1, text(`${LARGEST}x`)), {
      code: "SIM_ERR_INTERNAL",
      message: "a record must have at most 24 (bytes), got 25",
    });
  });

  for (const capacityBytes of [0, 128, 384, 2 ** 31]) {
    it(`refuses a capacity of ${capacityBytes}`, () => {
      const { views, place } = makeRing();
      assert.throws(() => new RingProducer(views, { ...place, capacityBytes }), {
        code: "SIM_ERR_INTERNAL",
        message: `capacityBytes must be a power of two from 256 to 1073741824 (bytes), got ${capacityBytes}`,
      });
    });
  }
});
