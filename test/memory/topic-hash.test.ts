import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { topicHash } from "../../src/memory/topic-hash.ts";

/** Sorts hashes into 256 buckets by their upper or lower bits. Returns the emptiest and the fullest. */
function spread(hashes: readonly number[], shift: number): [number, number] {
  const buckets = new Int32Array(256);
  for (const hash of hashes) {
    const bucket = (hash >>> shift) & 255;
    buckets[bucket] = (buckets[bucket] as number) + 1;
  }
  return [Math.min(...buckets), Math.max(...buckets)];
}

describe("topicHash", () => {
  it("is an int32, the same each time", () => {
    const hash = topicHash(1, "room:lobby");
    assert.equal(hash, hash | 0);
    assert.equal(topicHash(1, "room:lobby"), hash);
  });

  it("depends on the seed, on each unit and on the length", () => {
    const topics = [
      "",
      "a",
      "aa",
      "ab",
      "ba",
      "room:1",
      "room:2",
      "\0",
      "\0\0",
      "é",
      "e",
      "\u{1f426}",
    ];
    const hashes = [1, 2].flatMap((seed) => topics.map((topic) => topicHash(seed, topic)));
    assert.equal(new Set(hashes).size, hashes.length);
  });

  it("spreads numbered topics evenly, by upper bits and by lower bits", () => {
    const hashes = Array.from({ length: 25_600 }, (_, n) => topicHash(0x1234, `room:${n}`));
    for (const shift of [24, 0]) {
      const [least, most] = spread(hashes, shift);
      // 100 are expected; 5 standard deviations either way.
      assert.ok(least > 50 && most < 150, `${least} to ${most}`);
    }
  });

  it("changes about half of its bits when one unit changes", () => {
    let changed = 0;
    for (let n = 0; n < 1_000; n += 1) {
      let bits = topicHash(7, `users:${n}:inbox`) ^ topicHash(7, `users:${n}:inboy`);
      for (; bits !== 0; bits &= bits - 1) changed += 1;
    }
    assert.ok(changed > 15_000 && changed < 17_000, `${changed} of 32000`);
  });
});
