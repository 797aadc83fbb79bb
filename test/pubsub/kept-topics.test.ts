import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { conflictOf, isKeptEvent, KeptTopics } from "../../src/pubsub/kept-topics.ts";
import type { KeptPattern, TopicHistory } from "../../src/pubsub/kept-topics.ts";

const SMALL: TopicHistory = { size: 5, ttlMs: 1_000, maxBytes: 1_000, ephemeral: ["typing"] };
const LARGE: TopicHistory = { ...SMALL, size: 50 };

function row(pattern: string, history?: TopicHistory): KeptPattern {
  return { pattern, history };
}

describe("kept topics", () => {
  it("are those whose first matching pattern has a history, in any mount", () => {
    const kept = new KeptTopics([
      [row("lobby"), row("room:vip:*"), row("room:*", SMALL)],
      [row("room:vip:1", LARGE), row("*")],
    ]);
    assert.equal(kept.isEmpty, false);
    assert.equal(kept.find("room:1"), SMALL);
    assert.equal(kept.find("room:vip:2"), undefined);
    assert.equal(kept.find("room:vip:1"), LARGE);
    assert.equal(kept.find("lobby"), undefined);
  });

  it("are never the server's own", () => {
    const kept = new KeptTopics([[row("*", SMALL)]]);
    assert.equal(kept.find("phx_presence:chat"), undefined);
    assert.equal(kept.find("room:1"), SMALL);
  });

  it("are none without a history", () => {
    assert.equal(new KeptTopics([[row("room:*")], []]).isEmpty, true);
  });

  it("leave out ephemeral events, disconnects, and events of the protocol", () => {
    const events = ["said", "history", "typing", "disconnect", "phx_close", "phx_error"];
    assert.deepEqual(
      events.map((event) => isKeptEvent(SMALL, event)),
      [true, true, false, false, false, false],
    );
  });
});

describe("two histories for one topic", () => {
  const conflicts: readonly [
    what: string,
    one: readonly KeptPattern[],
    other: readonly KeptPattern[],
    conflict: readonly [string, string] | undefined,
  ][] = [
    ["the same pattern", [row("a:*", SMALL)], [row("a:*", LARGE)], ["a:*", "a:*"]],
    ["a longer prefix", [row("a:*", SMALL)], [row("a:b:*", LARGE)], ["a:*", "a:b:*"]],
    ["an exact topic", [row("a:1", SMALL)], [row("a:*", LARGE)], ["a:1", "a:*"]],
    ["a pattern behind", [row("x"), row("*", SMALL)], [row("y", LARGE)], ["*", "y"]],
    ["equal histories", [row("a:*", SMALL)], [row("a:*", { ...SMALL })], undefined],
    ["other topics", [row("a:*", SMALL)], [row("b:*", LARGE)], undefined],
    ["no history", [row("a:*", SMALL)], [row("a:*")], undefined],
    ["hidden by an earlier pattern", [row("a:*"), row("*", SMALL)], [row("a:1", LARGE)], undefined],
    ["the same mount", [row("a:1", SMALL), row("a:*", LARGE)], [], undefined],
  ];
  for (const [what, one, other, conflict] of conflicts) {
    it(`are ${conflict ? "found" : "none"}: ${what}`, () => {
      assert.deepEqual(conflictOf([one, other]), conflict);
      assert.deepEqual(conflictOf([other, one]), conflict?.toReversed());
    });
  }

  it("are the same if the ephemeral events are in another order", () => {
    const one = { ...SMALL, ephemeral: ["a", "b"] };
    const other = { ...SMALL, ephemeral: ["b", "a"] };
    assert.equal(conflictOf([[row("a", one)], [row("a", other)]]), undefined);
    const third = { ...SMALL, ephemeral: ["a", "c"] };
    assert.deepEqual(conflictOf([[row("a", one)], [row("a", third)]]), ["a", "a"]);
  });
});
