import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { BroadcastEncoder, topicName } from "../../src/protocol/broadcast-encoder.ts";
import { Envelope, HEADER_BYTES, rehash, writeHeader } from "../../src/pubsub/envelope.ts";

/** Packs a broadcast. Returns it at an odd offset of a shared buffer, as in a ring. */
function packed(hash: number, topic: string, event: string, payload: unknown, node = ""): Envelope {
  const encoder = new BroadcastEncoder(HEADER_BYTES);
  encoder.encode(topicName(topic), event, payload);
  writeHeader(hash, encoder);
  const length = node === "" ? encoder.length : encoder.append(node);
  const offset = 5;
  const shared = new Uint8Array(new SharedArrayBuffer(offset + length + 3));
  shared.set(encoder.bytes.subarray(0, length), offset);
  return new Envelope().read(shared, offset, length);
}

describe("an envelope", () => {
  it("has the parts that were packed, and the frame for clients", () => {
    const envelope = packed(-7, "room:1", "new_msg", { body: "hi" });
    assert.equal(envelope.hash, -7);
    assert.equal(envelope.topic(), "room:1");
    assert.equal(envelope.event(), "new_msg");
    assert.deepEqual(envelope.payload(), { body: "hi" });
    const frame = Buffer.from(envelope.frame()).toString();
    assert.equal(frame, '[null,null,"room:1","new_msg",{"body":"hi"}]');
    assert.equal(envelope.node(), "");
  });

  it("returns the frame without a copy", () => {
    const envelope = packed(1, "t", "e", {});
    assert.equal(envelope.frame().buffer, envelope.bytes.buffer);
  });

  it("parses the payload again each time, so that receivers share nothing", () => {
    const envelope = packed(1, "t", "e", { list: [] });
    assert.notEqual(envelope.payload(), envelope.payload());
  });

  it("has the name of a node after the frame, and not in it", () => {
    const envelope = packed(1, "t", "e", { n: 1 }, "knöten-2");
    assert.equal(envelope.node(), "knöten-2");
    assert.equal(Buffer.from(envelope.frame()).toString(), '[null,null,"t","e",{"n":1}]');
  });

  it("can be read again at another offset, and forgets the first", () => {
    const envelope = packed(1, "first", "e", { n: 1 });
    const other = packed(2, "second", "f", { n: 2 });
    envelope.read(other.bytes, other.offset, other.length);
    assert.deepEqual([envelope.hash, envelope.topic(), envelope.event()], [2, "second", "f"]);
  });

  it("gets another hash in place", () => {
    const envelope = packed(1, "t", "e", {});
    const copy = Uint8Array.from(
      envelope.bytes.subarray(envelope.offset, envelope.offset + envelope.length),
    );
    rehash(copy, -2_000_000_000);
    const again = new Envelope().read(copy, 0, copy.length);
    assert.equal(again.hash, -2_000_000_000);
    assert.equal(again.topic(), "t");
  });

  it("compares its topic by bytes", () => {
    for (const topic of ["room:1", "", 'a"b', "räum", "🙂", "日本:1"]) {
      const envelope = packed(1, topic, "e", {});
      const { json, jsonLength } = topicName(topic);
      assert.ok(envelope.hasTopic(json, jsonLength));
      for (const other of ["room:2", "room:", "room:11", "raum", "rãum", "🙃", "日木:1", "x"]) {
        const name = topicName(other);
        assert.equal(envelope.hasTopic(name.json, name.jsonLength), false, `${topic} ${other}`);
      }
    }
  });

  it("returns any broadcast unchanged", () => {
    const text = fc.string({ unit: "binary", maxLength: 12 });
    const payloads = fc.dictionary(text, fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 });
    fc.assert(
      fc.property(fc.integer(), text, text, payloads, (hash, topic, event, payload) => {
        const envelope = packed(hash, topic, event, payload);
        assert.equal(envelope.hash, hash);
        assert.equal(envelope.topic(), topic);
        assert.equal(envelope.event(), event);
        assert.deepEqual(envelope.payload(), JSON.parse(JSON.stringify(payload)));
        const name = topicName(topic);
        assert.ok(envelope.hasTopic(name.json, name.jsonLength));
      }),
    );
  });

  it("distinguishes any two topics", () => {
    const text = fc.string({ unit: "binary", maxLength: 4 });
    fc.assert(
      fc.property(text, text, (one, other) => {
        const name = topicName(other);
        const isSame = packed(1, one, "e", {}).hasTopic(name.json, name.jsonLength);
        assert.equal(isSame, one === other);
      }),
    );
  });
});
