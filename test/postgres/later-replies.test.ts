import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { LaterReplies } from "../../src/postgres/transport/later-replies.ts";
import type { RowMessage } from "../../src/postgres/transport/rows.ts";

const messageOf = (topic: string, ref: string): RowMessage => ({
  joinRef: "1",
  ref,
  topic,
  event: "ask",
  payload: "{}",
  bytes: null,
});

describe("The rows that wait for a reply", () => {
  it("are answered by topic and ref, of the same ones the oldest first", () => {
    const later = new LaterReplies();
    later.add(messageOf("room:1", "7"), "10", 0);
    later.add(messageOf("room:2", "7"), "11", 0);
    later.add(messageOf("room:1", "7"), "12", 0);
    assert.deepEqual(later.ids, ["10", "12", "11"]);

    assert.equal(later.take(messageOf("room:1", "8")), undefined);
    assert.equal(later.take(messageOf("room:1", "7")), "10");
    assert.equal(later.take(messageOf("room:1", "7")), "12");
    assert.equal(later.take(messageOf("room:1", "7")), undefined);
    assert.deepEqual(later.ids, ["11"]);
  });

  it("are late after a time, and then wait no more", () => {
    const later = new LaterReplies();
    later.add(messageOf("room:1", "1"), "10", 1_000);
    later.add(messageOf("room:1", "1"), "11", 1_500);
    later.add(messageOf("room:1", "2"), "12", 1_001);
    assert.deepEqual(later.takeSince(999), []);
    assert.deepEqual(later.takeSince(1_001), ["10", "12"]);
    assert.deepEqual(later.ids, ["11"]);
  });

  it("are full at 1 000", () => {
    const later = new LaterReplies();
    for (let count = 1; count < 1_000; count += 1) later.add(messageOf("room:1", "1"), "1", 0);
    assert.equal(later.isFull, false);
    later.add(messageOf("room:1", "1"), "1", 0);
    assert.equal(later.isFull, true);
    later.take(messageOf("room:1", "1"));
    assert.equal(later.isFull, false);
  });
});
