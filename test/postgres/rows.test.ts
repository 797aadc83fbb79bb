/**
 * Messages as rows and as frames.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { frameOf, messageOf, storableJson } from "../../src/postgres/transport/rows.ts";
import { binaryPush, binaryReply, decodeBinary } from "../../src/protocol/binary-v2.ts";
import { jsonV2 } from "../../src/protocol/json-v2.ts";

const ROW = {
  joinRef: "1",
  ref: "2",
  topic: 'room:"1"',
  event: "say",
  payload: '{"n": 1}',
  bytes: null,
};

describe("a row", () => {
  it("is a frame with its payload as it is", () => {
    assert.equal(frameOf(ROW), '["1","2","room:\\"1\\"","say",{"n": 1}]');
    assert.equal(
      frameOf({ ...ROW, joinRef: null, ref: null }),
      '[null,null,"room:\\"1\\"","say",{"n": 1}]',
    );
  });

  it("with bytes is a binary frame, unless a part is too long for one", () => {
    const bytes = Buffer.of(0, 1, 255);
    const frame = frameOf({ ...ROW, payload: null, bytes });
    assert.ok(frame instanceof Uint8Array);
    assert.deepEqual(decodeBinary(frame), {
      joinRef: "1",
      ref: "2",
      topic: ROW.topic,
      event: "say",
      payload: new Uint8Array(bytes),
    });
    assert.equal(frameOf({ ...ROW, topic: "é".repeat(128), bytes }), undefined);
  });
});

describe("a frame of the server", () => {
  it("is a row", () => {
    const reply = jsonV2.reply('"1"', "2", '"room:1"', "ok", { big: 1 });
    assert.deepEqual(messageOf(reply), {
      joinRef: "1",
      ref: "2",
      topic: "room:1",
      event: "phx_reply",
      payload: '{"status":"ok","response":{"big":1}}',
      bytes: null,
    });
    const end = messageOf(jsonV2.end('"1"', '"room:1"', "phx_close", {}));
    assert.deepEqual(
      [end?.joinRef, end?.ref, end?.event, end?.payload],
      ["1", "1", "phx_close", "{}"],
    );
  });

  it("is a row with bytes if it is binary", () => {
    const bytes = Buffer.from("hi");
    const own = { joinRef: "1", topic: "room:1", bytes };
    assert.deepEqual(messageOf(binaryPush('"1"', '"room:1"', "news", bytes)), {
      ...own,
      ref: null,
      event: "news",
      payload: null,
    });
    assert.deepEqual(messageOf(binaryReply('"1"', "2", '"room:1"', "ok", bytes)), {
      ...own,
      ref: "2",
      event: "phx_reply",
      payload: '{"status":"ok"}',
    });
    const broadcast = Buffer.concat([Buffer.of(2, 6, 4), Buffer.from("room:1newshi")]);
    assert.deepEqual(messageOf(broadcast), {
      ...own,
      joinRef: null,
      ref: null,
      event: "news",
      payload: null,
    });
  });

  it("is nothing if it has another format", () => {
    assert.equal(messageOf("hello"), undefined);
    assert.equal(messageOf(Buffer.of(9)), undefined);
  });

  it("can be nested deeply", () => {
    const payload = `${'{"a":'.repeat(3_000)}1${"}".repeat(3_000)}`;
    assert.equal(messageOf(`["1","2","room:1","deep",${payload}]`)?.payload, payload);
  });

  it("has no text that the database cannot hold", () => {
    const frame = JSON.stringify(["1", "2", "room:\u0000", "e\u0000", {}]);
    const message = messageOf(frame);
    assert.deepEqual([message?.topic, message?.event], ["room:\ufffd", "e\ufffd"]);
  });
});

describe("a JSON text for jsonb", () => {
  it("keeps all but U+0000 and halves of surrogate pairs", () => {
    const same = [
      String.raw`{"a":"\\u0000"}`,
      String.raw`{"a":"\ud83d\ude00"}`,
      String.raw`{"a":"\\\\ud800 \u0001 \n"}`,
      '{"a":"é"}',
    ];
    for (const json of same) assert.equal(storableJson(json), json);
    const changed = [
      [String.raw`["\u0000"]`, '["\ufffd"]'],
      [String.raw`["\\\u0000"]`, String.raw`["\\` + '\ufffd"]'],
      [String.raw`["\ud800x\udc00"]`, '["\ufffdx\ufffd"]'],
      [String.raw`["\ud800\ud83d\ude00"]`, '["\ufffd' + String.raw`\ud83d\ude00"]`],
      [String.raw`["\uDBFF\u0041"]`, '["\ufffd' + String.raw`\u0041"]`],
    ];
    for (const [given = "", wanted] of changed) assert.equal(storableJson(given), wanted);
  });
});
