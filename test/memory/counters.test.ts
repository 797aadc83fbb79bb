import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  clearCounters,
  Counters,
  CounterSum,
  makeCountersMemory,
  readCounters,
} from "../../src/memory/counters.ts";
import {
  COUNTER,
  COUNTERS_BYTES,
  COUNTER_NAMES,
  countersBytes,
} from "../../src/memory/counters-layout.ts";

describe("Counters", () => {
  it("start at 0", () => {
    const read = readCounters(makeCountersMemory(1), 0);
    assert.deepEqual(Object.keys(read), COUNTER_NAMES);
    assert.deepEqual(new Set(Object.values(read)), new Set([0]));
  });

  it("add, set and raise, by name or by index", () => {
    const shared = makeCountersMemory(1);
    const counters = new Counters(shared, 0);
    counters.add("framesIn");
    counters.add(COUNTER.framesIn, 4);
    counters.set("loopLagMs", 1.5);
    counters.set(COUNTER.heapBytes, 7);
    counters.raise("ringHighWaterBytes", 9);
    counters.raise(COUNTER.ringHighWaterBytes, 8);
    const read = readCounters(shared, 0);
    assert.equal(read.framesIn, 5);
    assert.equal(read.loopLagMs, 1.5);
    assert.equal(read.heapBytes, 7);
    assert.equal(read.ringHighWaterBytes, 9);
  });

  it("count beyond 2^32", () => {
    const shared = makeCountersMemory(1);
    const counters = new Counters(shared, 0);
    counters.add("bytesOut", 2 ** 32 - 1);
    counters.add("bytesOut", 2);
    assert.equal(readCounters(shared, 0).bytesOut, 2 ** 32 + 1);
  });

  it("keep members apart, up to the last counter", () => {
    const shared = makeCountersMemory(67);
    const last = COUNTER_NAMES.at(-1) ?? "heapBytes";
    for (let member = 0; member < 67; member += 1) new Counters(shared, member).add(last, member);
    for (let member = 0; member < 67; member += 1) {
      assert.equal(readCounters(shared, member)[last], member);
      assert.equal(readCounters(shared, member).connections, 0);
    }
  });

  it("report an event that no member has counted before", () => {
    const shared = makeCountersMemory(2);
    const [one, two] = [new Counters(shared, 0), new Counters(shared, 1)];
    assert.equal(two.isFirst(COUNTER.socketsNotFound), true);
    assert.equal(two.isFirst(COUNTER.socketsNotFound), false);
    assert.equal(one.isFirst(COUNTER.socketsNotFound), false);
    assert.equal(one.isFirst(COUNTER.addressesMissing), true);
    assert.equal(readCounters(shared, 0).socketsNotFound, 1);
    assert.equal(readCounters(shared, 1).socketsNotFound, 2);
  });

  it("are summed over all members", () => {
    const shared = makeCountersMemory(67);
    const sum = new CounterSum(shared, COUNTER.tcpConnections);
    assert.equal(sum.value, 0);
    for (let member = 0; member < 67; member += 1) {
      const counters = new Counters(shared, member);
      counters.add(COUNTER.tcpConnections, member);
      counters.add(COUNTER.tcpConnections - 1, 1_000);
      counters.add(COUNTER.tcpConnections + 1, 1_000);
    }
    assert.equal(sum.value, (66 * 67) / 2);
    clearCounters(shared, 66);
    assert.equal(sum.value, (65 * 66) / 2);
  });

  it("occupy whole pairs of cache lines for each member", () => {
    assert.equal(COUNTERS_BYTES % 128, 0);
    assert.ok(COUNTERS_BYTES >= COUNTER_NAMES.length * 8);
    assert.equal(countersBytes(3), 3 * COUNTERS_BYTES);
  });
});
