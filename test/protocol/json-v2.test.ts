import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { jsonV2 } from "../../src/protocol/json-v2.ts";
import { refJson } from "../../src/protocol/serializer.ts";

const OBJECTS = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 });

function replied(response: unknown): string {
  return jsonV2.reply("1", 2, '"t"', 'may"be', response);
}

describe("version 2 in JSON, from the client", () => {
  it("decodes join_ref, ref, topic, event, payload", () => {
    assert.deepEqual(jsonV2.decode('["1","2","room:1","phx_join",{"a":[1,null]}]'), {
      joinRef: "1",
      ref: "2",
      topic: "room:1",
      event: "phx_join",
      payload: { a: [1, null] },
    });
  });

  it("takes refs and payloads of every JSON kind as they are", () => {
    for (const value of [null, 0, -1.5, "", "é\u0000", true, [1, [2]], { a: { b: 1 } }]) {
      const frame = JSON.stringify([value, value, "t", "e", value]);
      const message = { joinRef: value, ref: value, topic: "t", event: "e", payload: value };
      assert.deepEqual(jsonV2.decode(frame), message);
    }
  });

  it("takes topics and events that are no strings, but no objects as topics", () => {
    assert.equal(jsonV2.decode('[null,"1",7,false,{}]')?.topic, 7);
    assert.equal(jsonV2.decode('[null,"1",7,false,{}]')?.event, false);
    assert.equal(jsonV2.decode('[null,"1",null,{"a":1},{}]')?.topic, null);
    assert.equal(jsonV2.decode('[null,"1",{},"e",{}]'), undefined);
    assert.equal(jsonV2.decode('[null,"1",["t"],"e",{}]'), undefined);
  });

  it("lets more than five elements pass", () => {
    assert.equal(jsonV2.decode('["1","2","t","e",{"n":1},"more",6]')?.event, "e");
  });

  it("refuses what is no array of five", () => {
    const frames = ["", " ", "nope", "null", "1", '"x"', "{}", "[]", '["1","2","t","e"]'];
    frames.push('{"topic":"t","event":"e","payload":{},"ref":"1"}', '["1","2","t","e",{}', "[1,]");
    for (const frame of frames) assert.equal(jsonV2.decode(frame), undefined, frame);
  });

  it("agrees with JSON.parse on any text", () => {
    const frames = fc.oneof(
      fc.string(),
      fc.json(),
      fc.array(fc.jsonValue(), { maxLength: 7 }).map((parts) => JSON.stringify(parts)),
    );
    fc.assert(
      fc.property(frames, (frame) => {
        const message = jsonV2.decode(frame);
        let parts: unknown;
        try {
          parts = JSON.parse(frame);
        } catch {
          parts = undefined;
        }
        const isMessage =
          Array.isArray(parts) &&
          parts.length >= 5 &&
          (typeof parts[2] !== "object" || parts[2] === null);
        assert.equal(message !== undefined, isMessage);
        if (!message || !Array.isArray(parts)) return;
        const { joinRef, ref, topic, event, payload } = message;
        assert.deepEqual([joinRef, ref, topic, event, payload], parts.slice(0, 5));
      }),
    );
  });

  it("lets no frame change a prototype", () => {
    const message = jsonV2.decode('["1","2","t","e",{"__proto__":{"hacked":1}}]');
    assert.ok(message);
    assert.equal("hacked" in {}, false);
    assert.ok(Object.hasOwn(message.payload as object, "__proto__"));
  });
});

describe("version 2 in JSON, to the client", () => {
  it("writes a reply", () => {
    assert.equal(
      jsonV2.reply('"1"', "2", '"room:1"', "ok", { hello: "world" }),
      '["1","2","room:1","phx_reply",{"status":"ok","response":{"hello":"world"}}]',
    );
    assert.equal(
      jsonV2.reply("null", null, '"room:1"', "error", { reason: "unmatched topic" }),
      '[null,null,"room:1","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]',
    );
  });

  it("writes any JSON value as a response, and any string as a status", () => {
    assert.equal(replied(undefined), '[1,2,"t","phx_reply",{"status":"may\\"be","response":{}}]');
    for (const value of [null, 0, "x", false, [1], { a: "é\ud800" }]) {
      const parts = JSON.parse(replied(value)) as unknown[];
      assert.deepEqual(parts[4], { status: 'may"be', response: value });
    }
  });

  it("writes a push, whose ref is null", () => {
    assert.equal(
      jsonV2.push('"1"', '"room:1"', 'a"b', { n: 1 }),
      '["1",null,"room:1","a\\"b",{"n":1}]',
    );
  });

  it("writes an end, whose ref is the join's join_ref", () => {
    assert.equal(
      jsonV2.end('"1"', '"room:1"', "phx_close", {}),
      '["1","1","room:1","phx_close",{}]',
    );
    assert.equal(
      jsonV2.end("null", '"room:1"', "phx_error", { reason: "channel_crash" }),
      '[null,null,"room:1","phx_error",{"reason":"channel_crash"}]',
    );
  });

  it("refuses what JSON has no form for", () => {
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    for (const value of [loop, 1n, () => {}, Symbol("s"), { n: 1n }, { toJSON: () => undefined }]) {
      assert.throws(() => jsonV2.push('"1"', '"t"', "e", value), { code: "SIM_ERR_PAYLOAD" });
      assert.throws(() => jsonV2.reply('"1"', "1", '"t"', "ok", value), {
        code: "SIM_ERR_PAYLOAD",
      });
    }
  });

  it("gives back every ref that a client may send", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.string(), (joinRef, ref, topic) => {
        const message = jsonV2.decode(JSON.stringify([joinRef, ref, topic, "e", {}]));
        assert.ok(message);
        const topicJson = JSON.stringify(message.topic);
        const frame = jsonV2.reply(refJson(message.joinRef), message.ref, topicJson, "ok", {});
        const sent = JSON.parse(JSON.stringify([joinRef, ref, topic])) as unknown[];
        assert.deepEqual((JSON.parse(frame) as unknown[]).slice(0, 3), sent);
      }),
    );
  });

  it("decodes what it encodes", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), OBJECTS, (topic, event, payload) => {
        const frame = jsonV2.push('"3"', JSON.stringify(topic), event, payload);
        const sent = JSON.parse(JSON.stringify(payload)) as unknown;
        const message = { joinRef: "3", ref: null, topic, event, payload: sent };
        assert.deepEqual(jsonV2.decode(frame), message);
      }),
    );
  });
});
