import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { SharedLimits } from "../../src/limits/shared-limits.ts";
import { makeRateTableMemory, RateTable } from "../../src/memory/rate-table.ts";

const MINUTE_MS = 60_000;
const BURST = 3;
/** How far the reading of a shard is behind that of another one (ms). */
const LAG_MS = 5;
const NOW_MS = 1_000_000;

/** The limits of one shard, whose clock stands at `nowMs`. */
function limitsAt(memory: ReturnType<typeof makeRateTableMemory>, nowMs: number): SharedLimits {
  const messages = { limit: BURST, perMs: MINUTE_MS };
  return new SharedLimits("id of /socket", { messages }, new RateTable(memory), () => nowMs);
}

describe("Limits that shards share", () => {
  it("let a whole burst pass if a shard has read its clock before another one spent", () => {
    const memory = makeRateTableMemory(4, "seed");
    const [early, late] = [limitsAt(memory, NOW_MS), limitsAt(memory, NOW_MS)];
    const key = early.keyOf("ann");
    for (let count = 1; count < BURST; count += 1)
      assert.equal(late.take(key, NOW_MS, 0, false), 0);
    assert.equal(early.take(key, NOW_MS - LAG_MS, 0, false), 0, "the last of the burst");
    const waitMs = MINUTE_MS / BURST;
    assert.equal(early.take(key, NOW_MS - LAG_MS, 0, false), waitMs, "one more");
  });

  it("refuse once if the clock has not moved", () => {
    const limits = limitsAt(makeRateTableMemory(4, "seed"), NOW_MS);
    const key = limits.keyOf("ann");
    for (let count = 0; count < BURST; count += 1) limits.take(key, NOW_MS, 0, false);
    assert.equal(limits.take(key, NOW_MS, 0, false), MINUTE_MS / BURST);
    assert.equal(limits.refusedBy, "messages");
  });
});
