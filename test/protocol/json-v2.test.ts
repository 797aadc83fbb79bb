import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { jsonV2 } from "../../src/protocol/json-v2.ts";
import { refJson, type Frame } from "../../src/protocol/serializer.ts";

/** Writes every non-ASCII character as an escape. */
function escaped(json: string): string {
  return json.replaceAll(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function nested(depth: number): string {
  return "[".repeat(depth) + "]".repeat(depth);
}

/** Reports whether all strings of a JSON text are well-formed, by another method than the decoder's. */
function isWhole(json: string): boolean {
  let whole = true;
  JSON.parse(json, (key, value: unknown) => {
    for (const text of [key, value]) {
      if (typeof text === "string" && Buffer.from(text).toString() !== text) whole = false;
    }
    return value;
  });
  return whole;
}

const OBJECTS = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 });

function replied(response: unknown): string {
  return textOf(jsonV2.reply("1", 2, '"t"', 'may"be', response));
}

function textOf(frame: Frame): string {
  assert.ok(typeof frame === "string");
  return frame;
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

  it("decodes refs and payloads of every JSON kind unchanged", () => {
    for (const value of [null, 0, -1.5, "", "é\u0000", true, [1, [2]], { a: { b: 1 } }]) {
      const frame = JSON.stringify([value, value, "t", "e", value]);
      const message = { joinRef: value, ref: value, topic: "t", event: "e", payload: value };
      assert.deepEqual(jsonV2.decode(frame), message);
    }
  });

  it("accepts topics and events that are not strings, but not objects as topics", () => {
    assert.equal(jsonV2.decode('[null,"1",7,false,{}]')?.topic, 7);
    assert.equal(jsonV2.decode('[null,"1",7,false,{}]')?.event, false);
    assert.equal(jsonV2.decode('[null,"1",null,{"a":1},{}]')?.topic, null);
    assert.deepEqual(jsonV2.decode('[null,"1",{"a":1},"e",{}]')?.topic, { a: 1 });
    assert.deepEqual(jsonV2.decode('[null,"1",[null],"phx_leave",{}]')?.topic, [null]);
    assert.deepEqual(jsonV2.decode('[null,"1",["a",[98,"c"]],"phx_join",{}]')?.topic, [
      "a",
      [98, "c"],
    ]);
    for (const topic of ["{}", '{"a":1}', "[null]", "[-1]", "[1.5]", "[55296]", "[1114112]"]) {
      assert.equal(jsonV2.decode(`[null,"1",${topic},"phx_join",{}]`), undefined, topic);
    }
  });

  it("refuses lone surrogates, wherever they are escaped", () => {
    const whole = [
      "\\ud83c\\udf89",
      "\\\\ud800",
      "\\u0041",
      "🎉",
      "\\uD83C\\uDF89x",
      "\\\\\\u00e9",
    ];
    for (const text of whole) {
      const frame = `["1","2","t","e",{"${text}":"${text}"}]`;
      assert.deepEqual(jsonV2.decode(frame)?.payload, (JSON.parse(frame) as unknown[])[4], text);
    }
    const halves = [
      "\\udc00",
      "\\ud800",
      "\\uD800x",
      "\\ud800\\ud800",
      "\\ud800\\n",
      "\\ud800\\u0041",
    ];
    halves.push("\\\\\\udfff", "\\ud83c\\udf89\\udf89", "\\ud800\\\\udc00", "\\n\\udBFF");
    for (const text of halves) {
      assert.equal(jsonV2.decode(`["1","2","t","e",{"x":"${text}"}]`), undefined, text);
      assert.equal(jsonV2.decode(`["1","2","t","e",{"${text}":1}]`), undefined, text);
      assert.equal(jsonV2.decode(`["${text}","2","t","e",{}]`), undefined, text);
    }
  });

  it("accepts payloads at any depth, and refs and topics as deep as they can be written again", () => {
    assert.ok(jsonV2.decode(`["1","2","t","e",${nested(100_000)}]`));
    assert.ok(jsonV2.decode(`[${nested(2_000)},${nested(2_000)},${nested(2_000)},"e",{}]`));
    for (const depth of [2_049, 100_000]) {
      assert.equal(jsonV2.decode(`[${nested(depth)},"2","t","e",{}]`), undefined);
      assert.equal(jsonV2.decode(`["1",${nested(depth)},"t","e",{}]`), undefined);
      assert.equal(jsonV2.decode(`["1","2",${nested(depth)},"e",{}]`), undefined);
      assert.equal(jsonV2.decode(`["1","2",${nested(depth)},"phx_join",{}]`), undefined);
    }
  });

  it("accepts more than five elements", () => {
    assert.equal(jsonV2.decode('["1","2","t","e",{"n":1},"more",6]')?.event, "e");
  });

  it("refuses anything but an array of at least five", () => {
    const frames = ["", " ", "nope", "null", "1", '"x"', "{}", "[]", '["1","2","t","e"]'];
    frames.push('{"topic":"t","event":"e","payload":{},"ref":"1"}', '["1","2","t","e",{}', "[1,]");
    for (const frame of frames) assert.equal(jsonV2.decode(frame), undefined, frame);
  });

  it("agrees with JSON.parse on any text except lone surrogates", () => {
    const strings = fc.string({ unit: "binary" });
    const part = fc.oneof(fc.jsonValue({ stringUnit: "binary" }), strings);
    const frames = fc.oneof(
      fc.string(),
      fc.json(),
      fc.array(part, { maxLength: 7 }).map((all) => JSON.stringify(all)),
      fc.array(part, { minLength: 5, maxLength: 5 }).map((all) => escaped(JSON.stringify(all))),
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
        const isMessage = Array.isArray(parts) && parts.length >= 5 && isWhole(frame);
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

  it("refuses values that JSON cannot represent", () => {
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    for (const value of [loop, 1n, () => {}, Symbol("s"), { n: 1n }, { toJSON: () => undefined }]) {
      assert.throws(() => jsonV2.push('"1"', '"t"', "e", value), { code: "SIM_ERR_PAYLOAD" });
      assert.throws(() => jsonV2.reply('"1"', "1", '"t"', "ok", value), {
        code: "SIM_ERR_PAYLOAD",
      });
    }
  });

  it("returns every ref that a client may send unchanged", () => {
    const refs = fc.jsonValue({ maxDepth: 2 });
    fc.assert(
      fc.property(refs, refs, fc.string(), (joinRef, ref, topic) => {
        const message = jsonV2.decode(JSON.stringify([joinRef, ref, topic, "e", {}]));
        assert.ok(message);
        const topicJson = JSON.stringify(message.topic);
        const joinRefJson = refJson(message.joinRef);
        const frame = textOf(jsonV2.reply(joinRefJson, message.ref, topicJson, "ok", {}));
        const sent = JSON.parse(JSON.stringify([joinRef, ref, topic])) as unknown[];
        assert.deepEqual((JSON.parse(frame) as unknown[]).slice(0, 3), sent);
      }),
    );
  });

  it("decodes what it encodes", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), OBJECTS, (topic, event, payload) => {
        const frame = textOf(jsonV2.push('"3"', JSON.stringify(topic), event, payload));
        const sent = JSON.parse(JSON.stringify(payload)) as unknown;
        const message = { joinRef: "3", ref: null, topic, event, payload: sent };
        assert.deepEqual(jsonV2.decode(frame), message);
      }),
    );
  });
});
