import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { COUNTER_NAMES } from "../../src/memory/counters-layout.ts";
import { joinStats, PastStats, type MemberStats } from "../../src/server/member-stats.ts";

function stats(some: Partial<MemberStats>): MemberStats {
  const none = Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])) as MemberStats;
  return { ...none, ...some };
}

const one = stats({ framesIn: 3, connections: 2, ringHighWaterBytes: 50, loopLagMs: 7 });
const other = stats({ framesIn: 4, connections: 5, ringHighWaterBytes: 90, loopLagMs: 1 });

describe("the counters of several threads", () => {
  it("are added up; peaks and levels are the highest", () => {
    const joined = stats({ framesIn: 7, connections: 7, ringHighWaterBytes: 90, loopLagMs: 7 });
    assert.deepEqual(joinStats([one, other]), joined);
  });

  it("are 0 without threads", () => {
    assert.deepEqual(joinStats([]), stats({}));
  });
});

describe("the counters of threads that have ended", () => {
  it("keep totals and peaks by shard, but no current values", () => {
    const past = new PastStats();
    past.add(1, one);
    past.add(1, other);
    past.add(2, one);
    assert.deepEqual(past.of(1), [stats({ framesIn: 7, ringHighWaterBytes: 90 })]);
    assert.deepEqual(past.of(0), []);
    assert.deepEqual(joinStats(past.all()), stats({ framesIn: 10, ringHighWaterBytes: 90 }));
  });
});
