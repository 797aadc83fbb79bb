import assert from "node:assert/strict";
import { it } from "node:test";

import { topicHash } from "../../src/memory/topic-hash.ts";
import { collidingTopics } from "./topics.ts";

it("colliding topics are three with the same hash", () => {
  const topics = collidingTopics(7);
  assert.equal(new Set(topics).size, 3);
  assert.equal(new Set(topics.map((topic) => topicHash(7, topic))).size, 1);
});
