import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Backoff } from "../src/backoff.ts";

function delays(backoff: Backoff, count: number): number[] {
  return Array.from({ length: count }, () => backoff.nextMs());
}

describe("A backoff", () => {
  it("doubles up to a bound", () => {
    const backoff = new Backoff(100, 1_000, () => 1);
    assert.deepEqual(delays(backoff, 6), [100, 200, 400, 800, 1_000, 1_000]);
  });

  it("makes half of each delay random", () => {
    const backoff = new Backoff(100, 1_000, () => 0);
    assert.deepEqual(delays(backoff, 6), [50, 100, 200, 400, 500, 500]);
  });

  it("starts again after a reset", () => {
    const backoff = new Backoff(100, 1_000, () => 1);
    delays(backoff, 10);
    backoff.reset();
    assert.deepEqual(delays(backoff, 2), [100, 200]);
  });
});
