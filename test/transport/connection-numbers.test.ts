import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ConnectionNumbers } from "../../src/transport/connection-numbers.ts";

/** Returns the number of a thread's first connection. */
function firstOf(shard: number, shards: number, predecessors: number): number {
  return new ConnectionNumbers(shard, shards, predecessors).take();
}

describe("the numbers of a thread's connections", () => {
  it("start at the shard's index on its first thread, in steps of the number of shards", () => {
    const numbers = new ConnectionNumbers(3, 4, 0);
    assert.deepEqual([numbers.take(), numbers.take(), numbers.take()], [3, 7, 11]);
    assert.equal(numbers.newest, 11);
  });

  it("equal the shard modulo the number of shards, up to the last range", () => {
    for (const predecessors of [1, 2, 2_047]) {
      const number = firstOf(63, 64, predecessors);
      assert.equal(number % 64, 63);
      assert.ok(Number.isSafeInteger(number + 64 * (2 ** 36 - 1)));
    }
  });

  it("exceed all numbers of the previous thread", () => {
    const last = firstOf(1, 2, 4) + 2 * (2 ** 36 - 1);
    assert.ok(firstOf(1, 2, 5) > last);
  });

  it("start again after 2048 threads", () => {
    assert.equal(firstOf(1, 2, 2_048), 1);
  });
});
