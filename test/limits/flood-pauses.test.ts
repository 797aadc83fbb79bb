import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { FloodPauses } from "../../src/limits/flood-pauses.ts";
import { COUNTER } from "../../src/memory/counters-layout.ts";
import { Counters, makeCountersMemory } from "../../src/memory/counters.ts";
import { makeRateTableMemory, RateTable } from "../../src/memory/rate-table.ts";

const PAUSE_MS = 1_000;

let nowMs: number;
/** The pauses as two shards of a node see them. */
let shards: readonly [FloodPauses, FloodPauses];
let counters: Counters;

beforeEach(() => {
  nowMs = 5_000;
  const memory = makeCountersMemory(2);
  const table = new RateTable(makeRateTableMemory(10, "seed"));
  counters = new Counters(memory, 0);
  const make = (): FloodPauses => new FloodPauses(table, memory, PAUSE_MS, () => nowMs);
  shards = [make(), make()];
});

function cut(address: string): void {
  counters.add(COUNTER.floodCut);
  shards[0].add(address);
}

describe("An address whose connection was cut", () => {
  it("waits on all shards until its pause is over, and no other does", () => {
    assert.deepEqual([shards[1].areUsed, shards[1].waitMs("10.0.0.1")], [false, 0]);
    cut("10.0.0.1");
    assert.deepEqual([shards[1].areUsed, shards[1].waitMs("10.0.0.1")], [true, PAUSE_MS]);
    assert.equal(shards[1].waitMs("10.0.0.2"), 0);
    nowMs += PAUSE_MS - 1;
    assert.equal(shards[1].waitMs("10.0.0.1"), 1);
    nowMs += 1;
    assert.equal(shards[1].waitMs("10.0.0.1"), 0);
  });

  it("waits longer after each cut, for at most 10 s", () => {
    for (const waitMs of [1_000, 2_000, 3_000]) {
      cut("10.0.0.1");
      assert.equal(shards[0].waitMs("10.0.0.1"), waitMs);
    }
    for (let n = 0; n < 100; n += 1) cut("10.0.0.1");
    assert.equal(shards[0].waitMs("10.0.0.1"), 10_000);
  });

  it("is the /64 network of an IPv6 address", () => {
    cut("2001:db8::1");
    assert.equal(shards[0].waitMs("2001:db8::2"), PAUSE_MS);
    assert.equal(shards[0].waitMs("2001:db8:0:1::1"), 0);
  });
});
