/**
 * Rows by topic and key.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Replica, Row } from "../../src/presence/replica.ts";
import { TopicIndex } from "../../src/presence/topic-index.ts";

const REPLICA = new Replica({ node: "n", member: 2, incarnation: 1 });

function row(topic: string, key: string, dot: number): Row {
  return new Row(REPLICA, { topic, key, dot, meta: { phx_ref: `r${dot}` } });
}

describe("The index of topics", () => {
  it("has rows by topic and key, those of a key together and the older first", () => {
    const index = new TopicIndex();
    for (const one of [row("room", "a", 1), row("room", "b", 2), row("room", "a", 3)])
      index.add(one);
    index.add(row("hall", "a", 4));
    assert.deepEqual(
      Array.from(index.rowsOf("room"), ({ key, dot }) => [key, dot]),
      [
        ["a", 1],
        ["a", 3],
        ["b", 2],
      ],
    );
    assert.deepEqual(
      index.get("room", "a").map(({ dot }) => dot),
      [1, 3],
    );
    assert.deepEqual([...index.rowsOf("nowhere")], []);
  });

  it("keeps nothing of a topic, or of a key, when its last row goes", () => {
    const index = new TopicIndex();
    const rows = [1, 2, 3].map((dot) => row("room", "a", dot));
    for (const one of rows) index.add(one);
    for (const one of rows.toReversed()) index.delete(one);
    assert.equal(index.size, 0);
    const [first] = rows as [Row];
    index.add(first);
    index.delete(row("room", "a", 1));
    assert.deepEqual(index.get("room", "a"), [first], "another row was taken for it");
    index.delete(first);
    index.delete(first);
    assert.equal(index.size, 0);
  });
});
