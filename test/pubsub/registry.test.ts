import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { topicHash } from "../../src/memory/topic-hash.ts";
import { BroadcastEncoder, topicName } from "../../src/protocol/broadcast-encoder.ts";
import { Envelope, HEADER_BYTES, writeHeader } from "../../src/pubsub/envelope.ts";
import { Registry } from "../../src/pubsub/registry.ts";
import { collidingTopics } from "../support/topics.ts";

const SEED = 7;

function envelopeOf(registry: Registry<never>, topic: string): Envelope {
  const encoder = new BroadcastEncoder(HEADER_BYTES);
  encoder.encode(topicName(topic), "e", {});
  writeHeader(registry.hashOf(topic), encoder);
  return new Envelope().read(encoder.bytes, 0, encoder.length);
}

describe("the registry", () => {
  it("creates an entry once, and finds it by topic and by envelope", () => {
    const registry = new Registry<never>(SEED);
    const entry = registry.ensure("room:1");
    assert.equal(registry.ensure("room:1"), entry);
    assert.equal(registry.get("room:1"), entry);
    assert.equal(registry.find(envelopeOf(registry, "room:1")), entry);
    assert.equal(registry.size, 1);
    assert.deepEqual([entry.topic, entry.json, entry.jsonLength], ["room:1", '"room:1"', 6]);
  });

  it("finds no topic that was not added", () => {
    const registry = new Registry<never>(SEED);
    assert.equal(registry.get("room:1"), undefined);
    assert.equal(registry.find(envelopeOf(registry, "room:1")), undefined);
    registry.delete(registry.ensure("room:1"));
    assert.equal(registry.get("room:1"), undefined);
    assert.equal(registry.size, 0);
    assert.deepEqual(registry.all(), []);
  });

  it("keeps topics with the same hash apart, whichever is removed first", () => {
    const [a, b, c] = collidingTopics(SEED);
    for (const order of [
      [a, b, c],
      [b, c, a],
      [c, b, a],
      [b, a, c],
    ]) {
      const registry = new Registry<never>(SEED);
      for (const topic of [a, b, c]) registry.ensure(topic);
      const left = new Set([a, b, c]);
      for (const gone of order) {
        registry.delete(registry.ensure(gone));
        left.delete(gone);
        assert.equal(registry.size, left.size);
        for (const topic of [a, b, c]) {
          const found = left.has(topic) ? topic : undefined;
          assert.equal(registry.get(topic)?.topic, found);
          assert.equal(registry.find(envelopeOf(registry, topic))?.topic, found);
        }
        assert.deepEqual(new Set(registry.all().map(({ topic }) => topic)), left);
      }
    }
  });

  it("returns a list of all topics that stays valid while they are removed", () => {
    const registry = new Registry<never>(SEED);
    const topics = [...collidingTopics(SEED), "room:1", "room:2"];
    for (const topic of topics) registry.ensure(topic);
    for (const entry of registry.all()) registry.delete(entry);
    assert.equal(registry.size, 0);
  });

  it("hashes with the seed that all threads share", () => {
    assert.equal(new Registry<never>(SEED).hashOf("room:1"), topicHash(SEED, "room:1"));
    assert.notEqual(
      new Registry<never>(1).hashOf("room:1"),
      new Registry<never>(2).hashOf("room:1"),
    );
  });
});
