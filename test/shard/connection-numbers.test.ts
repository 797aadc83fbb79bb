import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { firstConnectionNumber } from "../../src/shard/connection-numbers.ts";

describe("the first connection's number of a thread", () => {
  it("is the shard's index where the thread is the shard's first", () => {
    assert.equal(firstConnectionNumber(3, 4, 0), 3);
  });

  it("gives the shard, modulo the number of shards, up to the last range", () => {
    for (const predecessors of [1, 2, 2_047]) {
      const number = firstConnectionNumber(63, 64, predecessors);
      assert.equal(number % 64, 63);
      assert.ok(Number.isSafeInteger(number + 64 * (2 ** 36 - 1)));
    }
  });

  it("is beyond all numbers of the thread before", () => {
    const last = firstConnectionNumber(1, 2, 4) + 2 * (2 ** 36 - 1);
    assert.ok(firstConnectionNumber(1, 2, 5) > last);
  });

  it("begins anew after 2048 threads", () => {
    assert.equal(firstConnectionNumber(1, 2, 2_048), 1);
  });
});
