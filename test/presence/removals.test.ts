/**
 * What a replica remembers of the rows that it removed.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Removals } from "../../src/presence/removals.ts";

describe("Removals", () => {
  it("are those of dots that who asks may still have", () => {
    const removals = new Removals(10);
    removals.add(5, 2);
    removals.add(6, 1);
    removals.add(9, 8);
    assert.deepEqual(removals.since(4), [1, 2]);
    assert.deepEqual(removals.since(5), [1]);
    // Of dot 8 who has seen all up to 6 has no row.
    assert.deepEqual(removals.since(6), []);
    assert.deepEqual(removals.since(8), [8]);
    assert.deepEqual(removals.since(9), []);
  });

  it("forget the oldest beyond their bound, and say so", () => {
    const removals = new Removals(2);
    for (const tick of [11, 12, 13]) removals.add(tick, tick - 10);
    assert.equal(removals.since(10), undefined);
    assert.deepEqual(removals.since(11), [2, 3]);
    for (let tick = 14; tick < 100; tick += 1) removals.add(tick, tick - 10);
    assert.equal(removals.since(96), undefined);
    assert.deepEqual(removals.since(97), [88, 89]);
  });
});
