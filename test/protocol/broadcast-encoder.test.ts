import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { BroadcastEncoder, topicName } from "../../src/protocol/broadcast-encoder.ts";

const HEADROOM = 8;

/** The parts in an encoder's buffer, by its own offsets. */
function partsOf(
  encoder: BroadcastEncoder,
): Record<"frame" | "topic" | "event" | "payload", string> {
  const cut = (offset: number, length: number): string =>
    encoder.bytes.toString("utf8", offset, offset + length);
  return {
    frame: cut(HEADROOM, encoder.length - HEADROOM),
    topic: cut(encoder.topicOffset, encoder.topicLength),
    event: cut(encoder.eventOffset, encoder.eventLength),
    payload: cut(encoder.payloadOffset, encoder.payloadLength),
  };
}

function encoded(topic: string, event: string, payload: unknown): ReturnType<typeof partsOf> {
  const encoder = new BroadcastEncoder(HEADROOM);
  encoder.encode(topicName(topic), event, payload);
  return partsOf(encoder);
}

describe("the encoder of broadcasts", () => {
  it("writes the frame of version 2 after its headroom, and reports where the parts are", () => {
    assert.deepEqual(encoded("room:1", "new_msg", { body: "hi" }), {
      frame: '[null,null,"room:1","new_msg",{"body":"hi"}]',
      topic: "room:1",
      event: "new_msg",
      payload: '{"body":"hi"}',
    });
  });

  it("counts bytes, not characters", () => {
    assert.deepEqual(encoded("räum:€", "nächricht🙂", { ключ: "日本" }), {
      frame: '[null,null,"räum:€","nächricht🙂",{"ключ":"日本"}]',
      topic: "räum:€",
      event: "nächricht🙂",
      payload: '{"ключ":"日本"}',
    });
  });

  it("has topic and event as they are in the frame, including escapes", () => {
    assert.deepEqual(encoded('a"b\\c\n', "\u0001\ud800", {}), {
      frame: '[null,null,"a\\"b\\\\c\\n","\\u0001\\ud800",{}]',
      topic: 'a\\"b\\\\c\\n',
      event: "\\u0001\\ud800",
      payload: "{}",
    });
  });

  it("accepts an empty topic and an empty event", () => {
    assert.equal(encoded("", "", {}).frame, '[null,null,"","",{}]');
  });

  it("is correct for any broadcast, whatever was encoded before", () => {
    const encoder = new BroadcastEncoder(HEADROOM);
    const text = fc.string({ unit: "binary", maxLength: 12 });
    fc.assert(
      fc.property(
        text,
        text,
        fc.dictionary(text, fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 }),
        (topic, event, payload) => {
          encoder.encode(topicName(topic), event, payload);
          const parts = partsOf(encoder);
          const sent = JSON.parse(JSON.stringify([null, null, topic, event, payload])) as unknown[];
          assert.deepEqual(JSON.parse(parts.frame), sent);
          assert.equal(JSON.parse(`"${parts.topic}"`), topic);
          assert.equal(JSON.parse(`"${parts.event}"`), event);
          assert.deepEqual(JSON.parse(parts.payload), sent[4]);
        },
      ),
    );
  });

  it("refuses payloads that are not objects", () => {
    const encoder = new BroadcastEncoder(HEADROOM);
    const refused = (payload: unknown, got: string): void =>
      assert.throws(() => encoder.encode(topicName("t"), "e", payload), {
        code: "SIM_ERR_PAYLOAD",
        message: `payload must be an object, got ${got}`,
      });
    refused([1], "array");
    refused("x", "string");
    refused(null, "null");
    refused(undefined, "undefined");
    refused(() => {}, "function");
  });

  it("refuses objects that JSON writes as something else, or not at all", () => {
    const encoder = new BroadcastEncoder(HEADROOM);
    const code = "SIM_ERR_PAYLOAD";
    assert.throws(() => encoder.encode(topicName("t"), "e", new Date(0)), {
      code,
      message: "payload must be an object, got an object whose JSON type is string",
    });
    for (const payload of [{ toJSON: () => [] }, { toJSON: () => undefined }, { n: 1n }]) {
      assert.throws(() => encoder.encode(topicName("t"), "e", payload), { code });
    }
  });

  it("refuses an event that is not a string", () => {
    const encoder = new BroadcastEncoder(HEADROOM);
    for (const event of [undefined, null, 5, {}]) {
      assert.throws(() => encoder.encode(topicName("t"), event as never, {}), {
        code: "SIM_ERR_PAYLOAD",
      });
    }
  });

  it("keeps its buffer from one broadcast to the next, and grows it for a large one", () => {
    const encoder = new BroadcastEncoder(HEADROOM);
    encoder.encode(topicName("t"), "e", {});
    const first = encoder.bytes;
    encoder.encode(topicName("t"), "f", { n: 2 });
    assert.equal(encoder.bytes, first);
    const large = "é".repeat(100_000);
    encoder.encode(topicName("t"), "e", { large });
    assert.notEqual(encoder.bytes, first);
    assert.equal(partsOf(encoder).payload, `{"large":"${large}"}`);
  });

  it("releases a very large buffer with the next small broadcast", () => {
    const encoder = new BroadcastEncoder(HEADROOM);
    encoder.encode(topicName("t"), "e", { large: "x".repeat(2_000_000) });
    assert.ok(encoder.bytes.length > 2_000_000);
    encoder.encode(topicName("t"), "e", { n: 1 });
    assert.ok(encoder.bytes.length < 100_000);
    assert.equal(partsOf(encoder).frame, '[null,null,"t","e",{"n":1}]');
  });

  it("appends text after the frame, and keeps the frame, whatever the buffer's length", () => {
    const encoder = new BroadcastEncoder(HEADROOM);
    for (const bytes of [10, 5_400, 16_000, 400_000, 2_000_000, 6_000, 10]) {
      encoder.encode(topicName("t"), "e", { large: "x".repeat(bytes) });
      const { frame } = partsOf(encoder);
      const length = encoder.append("knöt");
      assert.ok(partsOf(encoder).frame === frame, `the frame of ${bytes} bytes is gone`);
      assert.equal(encoder.bytes.toString("utf8", encoder.length, length), "knöt");
    }
  });

  it("bounds the names that it caches, and stays correct when it drops them", () => {
    const encoder = new BroadcastEncoder(HEADROOM);
    for (let n = 0; n < 3_000; n += 1) {
      encoder.encode(topicName("t"), `ö${n}`, {});
      assert.equal(partsOf(encoder).event, `ö${n}`);
    }
  });
});
