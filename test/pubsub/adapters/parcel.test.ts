import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { bootOf, Parcel, readParcel, RECORD_KIND } from "../../../src/pubsub/adapters/parcel.ts";

const BOOT = Buffer.from("8 bytes.");

function recordsOf(bytes: Buffer): [number, string, string][] {
  const records: [number, string, string][] = [];
  const isWhole = readParcel(bytes, (kind, topic, body) => {
    records.push([kind, topic, body.toString("latin1")]);
  });
  assert.equal(isWhole, true);
  return records;
}

describe("A parcel", () => {
  it("is a header and its records, in these bytes", () => {
    const parcel = new Parcel(BOOT);
    parcel.add(RECORD_KIND.broadcast, "ä", Buffer.of(0xff, 0));
    assert.deepEqual(
      parcel.take().bytes,
      Buffer.concat([
        Buffer.of(3, 0, 0, 0),
        BOOT,
        Buffer.of(1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0),
        Buffer.of(0xc3, 0xa4),
        Buffer.of(0xff, 0),
      ]),
    );
  });

  it("returns its records in order, and the boot of its sender", () => {
    const parcel = new Parcel(BOOT);
    parcel.add(RECORD_KIND.broadcast, "räum:1", Buffer.from("one"));
    parcel.add(RECORD_KIND.gap, "", Buffer.of());
    parcel.add(RECORD_KIND.here, "", Buffer.from("me"));
    const { bytes, topics, hasGap } = parcel.take();
    assert.deepEqual(recordsOf(bytes), [
      [1, "räum:1", "one"],
      [2, "", ""],
      [4, "", "me"],
    ]);
    assert.deepEqual([topics, hasGap, bootOf(bytes)], [["räum:1"], true, BOOT]);
  });

  it("starts again once it is taken, and the taken one stays unchanged", () => {
    const parcel = new Parcel(BOOT);
    assert.equal(parcel.isEmpty, true);
    parcel.add(RECORD_KIND.broadcast, "a", Buffer.from("first"));
    assert.equal(parcel.isEmpty, false);
    const first = parcel.take();
    assert.equal(parcel.isEmpty, true);
    parcel.add(RECORD_KIND.broadcast, "b", Buffer.from("other"));
    assert.deepEqual(recordsOf(first.bytes), [[1, "a", "first"]]);
    assert.deepEqual(recordsOf(parcel.take().bytes), [[1, "b", "other"]]);
  });

  it("reports its length with another record, grows for one large record, and is full then", () => {
    const parcel = new Parcel(BOOT);
    parcel.add(RECORD_KIND.broadcast, "a", Buffer.from("small"));
    const large = Buffer.alloc(200_000, "x");
    const length = parcel.lengthWith("ö", large);
    assert.equal(parcel.isFull, false);
    parcel.add(RECORD_KIND.broadcast, "ö", large);
    assert.equal(parcel.isFull, true);
    const { bytes } = parcel.take();
    assert.equal(bytes.length, length);
    assert.deepEqual(recordsOf(bytes), [
      [1, "a", "small"],
      [1, "ö", large.toString()],
    ]);
    assert.equal(parcel.isFull, false);
  });

  it("is ignored if it has another version, and incomplete if it was cut within a record", () => {
    const parcel = new Parcel(BOOT);
    parcel.add(RECORD_KIND.broadcast, "topic", Buffer.from("body"));
    const { bytes } = parcel.take();
    const other = Buffer.from(bytes);
    other[0] = 1;
    assert.deepEqual([bootOf(other), bootOf(bytes.subarray(0, 11))], [undefined, undefined]);
    for (let length = 13; length < bytes.length; length += 1) {
      assert.equal(
        readParcel(bytes.subarray(0, length), () => assert.fail("a record")),
        false,
      );
    }
  });
});
