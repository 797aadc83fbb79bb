import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { BlockPool } from "../../src/history/block-pool.ts";
import { TopicTable } from "../../src/history/topic-table.ts";

const NONE = -1;
const NAMES = ["", "a", "b", "ab", "ÿ", "Ā", "\u0061\u0100", "x".repeat(400), "ω".repeat(400)];

/** A table with fewer buckets than topics, so that topics share them. */
function makeTable(): { table: TopicTable; pool: BlockPool } {
  const pool = new BlockPool(64, 2);
  return { table: new TopicTable(pool, 2, 1), pool };
}

function names(table: TopicTable): string[] {
  const found: string[] = [];
  for (let entry = table.silentLongest; entry !== NONE; entry = table.newer(entry)) {
    found.push(table.nameOf(entry));
  }
  return found;
}

describe("TopicTable", () => {
  it("finds each topic by its name, and no other", () => {
    const { table } = makeTable();
    const entries = NAMES.map((name) => table.add(name));
    assert.equal(table.count, NAMES.length);
    assert.deepEqual(
      NAMES.map((name) => table.find(name)),
      entries,
    );
    assert.deepEqual(
      entries.map((entry) => table.nameOf(entry)),
      NAMES,
    );
    for (const name of ["c", "x".repeat(399), `${"x".repeat(399)}y`, "a\u0000"]) {
      assert.equal(table.find(name), NONE);
    }
  });

  it("takes as many blocks as it says, and releases them all", () => {
    const { table, pool } = makeTable();
    for (const name of NAMES) {
      const before = pool.used;
      table.add(name);
      assert.equal(pool.used - before, table.blocksFor(name));
    }
    for (const name of NAMES.toReversed()) {
      table.remove(table.find(name));
      assert.equal(table.find(name), NONE);
    }
    assert.deepEqual([pool.used, table.count, table.silentLongest], [0, 0, NONE]);
  });

  it("removes topics from any position of their bucket", () => {
    for (const removed of NAMES) {
      const { table } = makeTable();
      for (const name of NAMES) table.add(name);
      table.remove(table.find(removed));
      for (const name of NAMES) assert.equal(table.find(name) === NONE, name === removed);
    }
  });

  it("has the topics in the order in which they were added or touched", () => {
    const { table } = makeTable();
    for (const name of ["a", "b", "c", "d"]) table.add(name);
    table.touch(table.find("b"));
    table.touch(table.find("a"));
    table.touch(table.find("a"));
    assert.deepEqual(names(table), ["c", "d", "b", "a"]);
    table.remove(table.find("d"));
    table.remove(table.find("c"));
    assert.deepEqual(names(table), ["b", "a"]);
  });

  it("has topics that were never touched before those that were", () => {
    const { table } = makeTable();
    for (const name of ["a", "b", "c"]) table.add(name);
    for (const name of ["c", "a", "c"]) table.touch(table.find(name));
    table.add("d");
    assert.deepEqual(names(table), ["b", "d", "a", "c"]);
    table.remove(table.find("d"));
    table.add("e");
    assert.deepEqual(names(table), ["b", "e", "a", "c"]);
    for (const name of ["e", "b"]) table.touch(table.find(name));
    table.add("f");
    assert.deepEqual(names(table), ["f", "a", "c", "e", "b"]);
  });

  it("tours all topics and begins again, whatever is touched or removed meanwhile", () => {
    const { table } = makeTable();
    assert.equal(table.nextOfTour(), NONE);
    for (const name of ["a", "b", "c", "d"]) table.add(name);
    const next = (): string => table.nameOf(table.nextOfTour());
    assert.equal(next(), "a");
    table.remove(table.find("b"));
    assert.equal(next(), "c");
    table.touch(table.find("d"));
    table.touch(table.find("c"));
    assert.deepEqual([next(), next(), next()], ["d", "c", "a"]);
  });
});
