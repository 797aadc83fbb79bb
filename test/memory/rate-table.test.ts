import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { makeRateTableMemory, RateTable } from "../../src/memory/rate-table.ts";
import type { RateTableMemory } from "../../src/memory/rate-table.ts";

const UNITS = 64;
/** The limit: one per 100 ms, in bursts of up to BURST. */
const COST = 100 * UNITS;
const BURST = 3;
const TOLERANCE = BURST * COST;
/** Time after which a word has the same value again (ms). */
const WRAP_MS = 2 ** 32 / UNITS;
/** Just before a word becomes negative, and just before it is 0 again. */
const EDGES_MS = [2 ** 31 / UNITS - 150, WRAP_MS - 150, 5 * WRAP_MS - 150];

interface Table {
  readonly table: RateTable;
  readonly memory: RateTableMemory;
  /** Spends one unit of the key with these hashes. */
  readonly spend: (nowMs: number, hash0?: number, hash1?: number) => number;
}

function makeTable(bits = 4): Table {
  const memory = makeRateTableMemory(bits, "seed");
  const table = new RateTable(memory);
  const spend = (nowMs: number, hash0 = 1, hash1 = 2): number =>
    table.spend(hash0, hash1, nowMs, COST, TOLERANCE);
  return { table, memory, spend };
}

function passes(spend: () => number): number {
  let count = 0;
  while (spend() === 0) count += 1;
  return count;
}

describe("The rate table", () => {
  it("lets a burst pass at once, and returns to the ms when the next would pass", () => {
    const { spend } = makeTable();
    assert.equal(
      passes(() => spend(1_000)),
      BURST,
    );
    assert.equal(spend(1_000), 100);
    assert.equal(spend(1_099), 1);
    assert.equal(spend(1_100), 0);
    assert.equal(spend(1_100), 100);
  });

  it("works while words become negative, are 0, and wrap", () => {
    for (const edgeMs of EDGES_MS) {
      const { spend } = makeTable();
      for (let nowMs = edgeMs; nowMs < edgeMs + 1_000; nowMs += 100) {
        const isFirst = nowMs === edgeMs;
        assert.equal(
          passes(() => spend(nowMs)),
          isFirst ? BURST : 1,
          `at ${nowMs}`,
        );
        assert.equal(spend(nowMs), 100);
      }
    }
  });

  it("refuses only what both rows refuse", () => {
    const { spend } = makeTable();
    assert.equal(
      passes(() => spend(0, 1, 2)),
      BURST,
    );
    assert.equal(
      passes(() => spend(0, 1, 3)),
      BURST,
      "shares the word in row 0 only",
    );
    assert.equal(
      passes(() => spend(0, 4, 2)),
      BURST,
      "shares the word in row 1 only",
    );
    assert.equal(
      passes(() => spend(0, 4, 3)),
      0,
      "shares both, with different keys",
    );
  });

  it("writes nothing when it refuses", () => {
    const { spend, memory } = makeTable();
    passes(() => spend(0));
    const before = Int32Array.from(new Int32Array(memory.words));
    for (let count = 0; count < 100; count += 1) assert.equal(spend(0), 100);
    assert.deepEqual(new Int32Array(memory.words), before);
  });

  it("does not move words that several keys share further and further ahead", () => {
    const { spend, memory } = makeTable();
    for (let hash1 = 0; hash1 < 16; hash1 += 1) passes(() => spend(0, 1, hash1));
    const words = new Int32Array(memory.words);
    const most = Math.max(...words);
    assert.ok(most <= TOLERANCE + COST, `${most} units ahead`);
  });

  it("lets something larger than a bucket pass when that is full, and refills afterwards", () => {
    const { table } = makeTable();
    const spend = (nowMs: number): number => table.spend(1, 2, nowMs, 10 * COST, TOLERANCE);
    assert.equal(spend(0), 0);
    assert.equal(spend(0), 1_000);
    assert.equal(table.spend(1, 2, 0, COST, TOLERANCE), 800);
    assert.equal(spend(999), 1);
    assert.equal(spend(1_000), 0);
  });

  it("clears words that are long past before they would seem to be in the future", () => {
    const { table, spend, memory } = makeTable();
    passes(() => spend(0));
    const hourMs = 3_600_000;
    // 4 096 refreshes visit all words: here the same word in each call.
    for (let nowMs = 0; nowMs < 10 * hourMs; nowMs += hourMs / 64) table.refresh(nowMs);
    assert.deepEqual(
      [...new Int32Array(memory.words)].filter((word) => word !== 0),
      [],
    );
    assert.equal(
      passes(() => spend(10 * hourMs)),
      BURST,
    );
  });

  it("does not clear words that are spent, or were a moment ago", () => {
    const { table, spend, memory } = makeTable();
    passes(() => spend(0));
    for (let count = 0; count < 64; count += 1) table.refresh(1_000);
    assert.equal([...new Int32Array(memory.words)].filter((word) => word !== 0).length, 2);
  });

  it("never lets a key pass more than burst and span, whatever the order and the threads", () => {
    const step = fc.record({ ms: fc.nat(300), hash0: fc.nat(2), hash1: fc.nat(2) });
    const start = fc.constantFrom(0, ...EDGES_MS);
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 200 }), (startMs, steps) => {
        const { spend } = makeTable();
        const times = new Map<string, number[]>();
        let nowMs = startMs;
        for (const { ms, hash0, hash1 } of steps) {
          nowMs += ms;
          const key = `${hash0} ${hash1}`;
          if (spend(nowMs, hash0, hash1) === 0) {
            times.set(key, [...(times.get(key) ?? []), nowMs]);
          }
        }
        for (const passed of times.values()) {
          for (let to = BURST; to < passed.length; to += 1) {
            const spanMs = (passed[to] as number) - (passed[to - BURST] as number);
            assert.ok(spanMs >= 100, `${BURST + 1} passed within ${spanMs} ms`);
          }
        }
      }),
    );
  });
});
