/**
 * Frames of the serializer, taken apart without parsing them.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { binaryPush, binaryReply } from "../../../src/protocol/binary-v2.ts";
import { jsonV2 } from "../../../src/protocol/json-v2.ts";
import { tryReadFrame } from "../../../src/transport/sse/message-frame.ts";

const text = fc.string({ unit: "binary" }).filter((one) => !/\p{Surrogate}/u.test(one));
const part = text.filter((one) => Buffer.byteLength(one) <= 255);

describe("a frame", () => {
  it("has the parts that JSON.parse finds, and the payload as it is", () => {
    fc.assert(
      fc.property(
        fc.option(text),
        fc.option(text),
        text,
        text,
        fc.json(),
        (joinRef, ref, topic, event, payload) => {
          const head = [joinRef, ref, topic, event].map((one) => JSON.stringify(one)).join(",");
          assert.deepEqual(tryReadFrame(`[${head},${payload}]`), {
            joinRef,
            ref,
            topic,
            event,
            payload,
            isBytes: false,
          });
        },
      ),
    );
  });

  it("may have bytes: of a push, a reply or a broadcast", () => {
    fc.assert(
      fc.property(part, part, part, part, fc.uint8Array(), (joinRef, ref, topic, event, bytes) => {
        const base64 = JSON.stringify(Buffer.from(bytes).toString("base64"));
        const [joinJson, topicJson] = [JSON.stringify(joinRef), JSON.stringify(topic)];
        assert.deepEqual(tryReadFrame(binaryPush(joinJson, topicJson, event, bytes)), {
          joinRef,
          ref: null,
          topic,
          event,
          payload: base64,
          isBytes: true,
        });
        assert.deepEqual(tryReadFrame(binaryReply(joinJson, ref, topicJson, event, bytes)), {
          joinRef,
          ref,
          topic,
          event: "phx_reply",
          payload: `{"status":${JSON.stringify(event)},"response":${base64}}`,
          isBytes: true,
        });
      }),
    );
    assert.deepEqual(tryReadFrame(Buffer.from("\u0002\u0001\u0002tevx", "latin1")), {
      joinRef: null,
      ref: null,
      topic: "t",
      event: "ev",
      payload: '"eA=="',
      isBytes: true,
    });
  });

  it("is what the serializer writes", () => {
    const reply = jsonV2.reply('"1"', "2", '"room:1"', "ok", { a: [1, "]"] });
    assert.deepEqual(tryReadFrame(reply), {
      joinRef: "1",
      ref: "2",
      topic: "room:1",
      event: "phx_reply",
      payload: '{"status":"ok","response":{"a":[1,"]"]}}',
      isBytes: false,
    });
  });

  it("is unknown if it has another form", () => {
    for (const frame of ["", "{}", "[]", "[1,2]", '["a","b","c', "[null,null,1,2,3]", '["']) {
      assert.equal(tryReadFrame(frame), undefined, frame);
    }
    for (const bytes of [[], [3, 0, 0], [255]]) {
      assert.equal(tryReadFrame(Uint8Array.from(bytes)), undefined);
    }
  });
});
