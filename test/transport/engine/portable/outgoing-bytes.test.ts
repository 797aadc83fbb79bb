import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { OutgoingBytes } from "../../../../src/transport/engine/portable/outgoing-bytes.ts";

const MAX_WRITE_BYTES = 65_536;

/** Takes all that waits. @returns the pieces */
function takeAll(outgoing: OutgoingBytes): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  while (outgoing.length > 0) pieces.push(outgoing.take());
  return pieces;
}

describe("the frames that wait for a connection", () => {
  it("are taken as they are if there is one", () => {
    const outgoing = new OutgoingBytes();
    const frame = Buffer.from("frame");
    outgoing.add(frame);
    assert.equal(outgoing.length, 5);
    assert.equal(outgoing.take(), frame);
    assert.equal(outgoing.length, 0);
  });

  it("are taken together and in order, at most 64 KiB at once", () => {
    // Many of each length, so that some are copied together before.
    for (const lengths of [
      [3],
      [1, 5_000],
      [70_000, 10],
      [65_536],
      [65_535, 2],
      [300_000],
      [40_000, 30_000],
    ]) {
      const outgoing = new OutgoingBytes();
      const frames = Array.from({ length: 200 }, (_, at) =>
        Buffer.alloc(lengths[at % lengths.length] ?? 0, at),
      );
      let taken: Uint8Array[] = [];
      for (const [at, frame] of frames.entries()) {
        outgoing.add(frame);
        if (at % 50 === 49) taken.push(outgoing.take());
      }
      taken = [...taken, ...takeAll(outgoing)];
      assert.ok(taken.every(({ length }) => length > 0 && length <= MAX_WRITE_BYTES));
      assert.ok(Buffer.concat(taken).equals(Buffer.concat(frames)), lengths.join());
    }
  });

  it("hold no more memory than they count for, if they are small and wait long", () => {
    const outgoing = new OutgoingBytes();
    for (let n = 0; n < 10_000; n += 1) outgoing.add(Buffer.alloc(8_192).subarray(0, 10));
    assert.equal(outgoing.length, 100_000);
    const memory = new Set(takeAll(outgoing).map(({ buffer }) => buffer));
    const held = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
    assert.ok(held < 300_000, `${held} bytes`);
  });

  it("may be dropped", () => {
    const outgoing = new OutgoingBytes();
    for (let n = 0; n < 100; n += 1) outgoing.add(Buffer.alloc(10));
    outgoing.clear();
    assert.equal(outgoing.length, 0);
    outgoing.add(Buffer.from("next"));
    assert.deepEqual(takeAll(outgoing).map(String), ["next"]);
  });
});
