import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { RestartBound } from "../../src/server/restart-bound.ts";

describe("the bound of restarts", () => {
  it("lets a shard be replaced five times within a minute", () => {
    const bound = new RestartBound();
    const allowed = [0, 1, 2, 3, 4, 5, 6].map((ms) => bound.tryCount(0, ms));
    assert.deepEqual(allowed, [true, true, true, true, true, false, false]);
  });

  it("forgets restarts that are a minute old, and those that it refused", () => {
    const bound = new RestartBound();
    for (const ms of [0, 1_000, 2_000, 3_000, 4_000]) assert.ok(bound.tryCount(0, ms));
    assert.equal(bound.tryCount(0, 59_999), false);
    assert.equal(bound.tryCount(0, 60_000), true);
    assert.equal(bound.tryCount(0, 60_001), false);
    assert.equal(bound.tryCount(0, 61_000), true);
  });

  it("counts each shard separately", () => {
    const bound = new RestartBound();
    for (let n = 0; n < 5; n += 1) bound.tryCount(0, n);
    assert.equal(bound.tryCount(0, 5), false);
    assert.equal(bound.tryCount(1, 5), true);
  });
});
