/**
 * What is published and not confirmed.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { formatPosition, parsePosition } from "../../../src/postgres/source/positions.ts";
import { SETTLE_MS, Unconfirmed } from "../../../src/postgres/source/unconfirmed.ts";

describe("What is published", () => {
  it("is due when it has reached the other nodes", () => {
    const unconfirmed = new Unconfirmed<number>();
    unconfirmed.add([1, 2], 0);
    unconfirmed.add([3], 10);
    assert.deepEqual(unconfirmed.due(SETTLE_MS - 1), []);
    assert.deepEqual(unconfirmed.due(SETTLE_MS), [1, 2]);
    unconfirmed.confirmed(2);
    assert.deepEqual([unconfirmed.items, unconfirmed.size], [[3], 1]);
    assert.deepEqual(unconfirmed.due(SETTLE_MS + 10), [3]);
  });

  it("is due at once if there is too much of it", () => {
    const unconfirmed = new Unconfirmed<number>();
    unconfirmed.add(
      Array.from({ length: 10_003 }, (_, at) => at),
      0,
    );
    assert.deepEqual(unconfirmed.due(0), [0, 1, 2]);
  });
});

describe("A position", () => {
  it("is read and written as PostgreSQL does", () => {
    assert.equal(parsePosition("16/B374D848"), 0x16_b374_d848n);
    assert.equal(parsePosition("00000016/0374D848"), 0x16_0374_d848n);
    assert.equal(formatPosition(0x16_0374_d848n), "16/374D848");
    assert.equal(formatPosition(0n), "0/0");
  });
});
