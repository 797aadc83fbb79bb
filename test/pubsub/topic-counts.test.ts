import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { array, assert as check, nat, property, string, uniqueArray } from "fast-check";

import { firstTopics, joinTopics } from "../../src/pubsub/topic-counts.ts";

const topics = (...names: string[]): { topic: string; count: number }[] =>
  names.map((topic, at) => ({ topic, count: at + 1 }));

describe("the first topics", () => {
  it("are those with the prefix, by name, up to the limit", () => {
    const all = topics("room:3", "user:1", "room:1", "room:20", "room:2");
    assert.deepEqual(firstTopics(all, "room:", 3), [
      { topic: "room:1", subscribers: 3 },
      { topic: "room:2", subscribers: 5 },
      { topic: "room:20", subscribers: 4 },
    ]);
  });

  it("do not include topics without subscribers", () => {
    assert.deepEqual(firstTopics([{ topic: "room:1", count: 0 }], "", 3), []);
  });

  it("are empty if the limit is 0", () => {
    assert.deepEqual(firstTopics(topics("a", "b"), "", 0), []);
  });
});

describe("the first topics of several threads", () => {
  it("are those of all, with exact sums, however few each thread returns", () => {
    const names = uniqueArray(string({ maxLength: 3 }), { maxLength: 12 });
    check(
      property(array(names, { maxLength: 4 }), nat(8), (threads, limit) => {
        const expected = new Map<string, number>();
        for (const name of threads.flat()) expected.set(name, (expected.get(name) ?? 0) + 1);
        const parts = threads.map((thread) =>
          firstTopics(
            thread.map((topic) => ({ topic, count: 1 })),
            "",
            limit,
          ),
        );
        const sorted = [...expected.keys()].toSorted((a, b) => (a < b ? -1 : 1)).slice(0, limit);
        assert.deepEqual(
          joinTopics(parts, limit),
          sorted.map((topic) => ({ topic, subscribers: expected.get(topic) })),
        );
      }),
    );
  });
});
