import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { BroadcastEncoder, topicName } from "../../src/protocol/broadcast-encoder.ts";
import { jsonV1, v1Broadcast } from "../../src/protocol/json-v1.ts";

describe("version 1, from the client", () => {
  it("decodes an object with topic, event, payload and ref", () => {
    assert.deepEqual(
      jsonV1.decode('{"topic":"room:1","event":"phx_join","payload":{"a":1},"ref":"1"}'),
      { joinRef: null, ref: "1", topic: "room:1", event: "phx_join", payload: { a: 1 } },
    );
  });

  it("accepts a join_ref if there is one, and unknown keys", () => {
    const frame = '{"topic":"t","event":"e","payload":1,"ref":null,"join_ref":7,"more":[]}';
    const message = { joinRef: 7, ref: null, topic: "t", event: "e", payload: 1 };
    assert.deepEqual(jsonV1.decode(frame), message);
  });

  it("requires each key, which may be null", () => {
    const whole = { topic: "t", event: "e", payload: {}, ref: "1" };
    for (const key of Object.keys(whole)) {
      const without = Object.fromEntries(Object.entries(whole).filter(([name]) => name !== key));
      assert.equal(jsonV1.decode(JSON.stringify(without)), undefined, key);
      assert.ok(jsonV1.decode(JSON.stringify({ ...whole, [key]: null })), key);
    }
  });

  it("refuses anything but an object, and joins whose topic is not a string", () => {
    const frames = ["", "nope", "null", "1", '"x"', "[]", '["1","2","t","e",{}]', "{"];
    frames.push('{"topic":{},"event":"phx_join","payload":{},"ref":"1"}');
    frames.push('{"topic":[null],"event":"phx_join","payload":{},"ref":"1"}');
    frames.push('{"topic":"t","event":"e","payload":"\\ud800","ref":"1"}');
    frames.push(
      `{"topic":"t","event":"e","payload":{},"ref":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
    );
    for (const frame of frames) assert.equal(jsonV1.decode(frame), undefined, frame);
  });

  it("accepts a binary frame if it is UTF-8", () => {
    const frame = '{"topic":"räum:1","event":"e","payload":{},"ref":"1"}';
    const message = { joinRef: null, ref: "1", topic: "räum:1", event: "e", payload: {} };
    assert.deepEqual(jsonV1.decodeBytes(Buffer.from(frame)), message);
    assert.equal(jsonV1.decodeBytes(Buffer.from(frame, "latin1")), undefined);
    assert.equal(jsonV1.decodeBytes(new Uint8Array(0)), undefined);
  });

  it("agrees with JSON.parse on any text", () => {
    const object = fc.record(
      {
        topic: fc.jsonValue(),
        event: fc.jsonValue(),
        payload: fc.jsonValue(),
        ref: fc.jsonValue(),
        join_ref: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const frames = fc.oneof(
      fc.string(),
      fc.json(),
      object.map((parts) => JSON.stringify(parts)),
    );
    fc.assert(
      fc.property(frames, (frame) => {
        const message = jsonV1.decode(frame);
        if (!message) return;
        const parts = JSON.parse(frame) as Record<string, unknown>;
        const { topic, event, payload, ref, join_ref: joinRef = null } = parts;
        assert.deepEqual(message, { joinRef, ref, topic, event, payload });
      }),
    );
    fc.assert(
      fc.property(object, (parts) => {
        const keys = ["topic", "event", "payload", "ref"] as const;
        const isWhole = keys.every((key) => Object.hasOwn(parts, key));
        assert.equal(jsonV1.decode(JSON.stringify(parts)) !== undefined, isWhole);
      }),
    );
  });
});

describe("version 1, to the client", () => {
  it("writes a reply without its join_ref", () => {
    assert.equal(
      jsonV1.reply('"9"', "4", '"room:1"', "ok", {}),
      '{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"4"}',
    );
  });

  it("writes a push, whose payload may be anything", () => {
    assert.equal(
      jsonV1.push('"9"', '"room:1"', "e", [1]),
      '{"topic":"room:1","event":"e","payload":[1],"ref":null}',
    );
  });

  it("refuses bytes, which it cannot represent", () => {
    const refused = {
      code: "SIM_ERR_PAYLOAD",
      message: "payload must be a JSON value for a client on protocol version 1, got bytes",
    };
    for (const bytes of [new Uint8Array(1), Buffer.alloc(1), new ArrayBuffer(1)]) {
      assert.throws(() => jsonV1.push("null", '"t"', "e", bytes), refused);
      assert.throws(() => jsonV1.reply("null", "1", '"t"', "ok", bytes), refused);
    }
  });

  it("writes an end, whose ref is the join's join_ref, if it had one", () => {
    assert.equal(
      jsonV1.end("null", '"room:1"', "phx_close", {}),
      '{"topic":"room:1","event":"phx_close","payload":{},"ref":null}',
    );
    assert.equal(
      jsonV1.end('"9"', '"room:1"', "phx_error", { reason: "channel_crash" }),
      '{"topic":"room:1","event":"phx_error","payload":{"reason":"channel_crash"},"ref":"9"}',
    );
  });

  it("cuts a broadcast from the frame of version 2", () => {
    const encoder = new BroadcastEncoder(32);
    encoder.encode(topicName("room:1"), "new_msg", { body: "hi" });
    assert.equal(
      Buffer.from(v1Broadcast(encoder)).toString(),
      '{"topic":"room:1","event":"new_msg","payload":{"body":"hi"},"ref":null}',
    );
  });

  it("cuts any broadcast", () => {
    const encoder = new BroadcastEncoder(32);
    const text = fc.string({ unit: "binary", maxLength: 12 });
    fc.assert(
      fc.property(
        text,
        text,
        fc.dictionary(text, fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 }),
        (topic, event, payload) => {
          encoder.encode(topicName(topic), event, payload);
          const frame = Buffer.from(v1Broadcast(encoder)).toString();
          const sent = JSON.parse(JSON.stringify({ topic, event, payload, ref: null })) as unknown;
          assert.deepEqual(JSON.parse(frame), sent);
        },
      ),
    );
  });
});
