import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { binaryPush, binaryReply, bytesOf, decodeBinary } from "../../src/protocol/binary-v2.ts";
import { BroadcastEncoder, topicName } from "../../src/protocol/broadcast-encoder.ts";
import { jsonV2 } from "../../src/protocol/json-v2.ts";
import type { Frame } from "../../src/protocol/serializer.ts";

const HEADROOM = 8;
const HI = new Uint8Array(Buffer.from("hi"));

/** Returns bytes that are written as hex, and as text in quotes. */
function literal(text: string): Uint8Array {
  const parts = text.match(/"[^"]*"|[0-9a-f]{2}/g) ?? [];
  return new Uint8Array(
    Buffer.concat(
      parts.map((part) =>
        part.startsWith('"') ? Buffer.from(part.slice(1, -1)) : Buffer.from(part, "hex"),
      ),
    ),
  );
}

function plain(frame: Frame): Uint8Array {
  assert.ok(frame instanceof Uint8Array);
  return new Uint8Array(frame);
}

/** Encodes a reply without a payload. */
function reply(joinRef: string, ref: unknown): Uint8Array {
  return plain(binaryReply(joinRef, ref, '"t"', "ok", new Uint8Array(0)));
}

/** The error for a part that is one byte too long. */
function refused(name: string): object {
  return {
    code: "SIM_ERR_PAYLOAD",
    message: `${name} must have at most 255 (bytes) if the payload is bytes, got 256`,
  };
}

function broadcast(topic: string, event: string, payload: unknown): Uint8Array {
  const encoder = new BroadcastEncoder(HEADROOM);
  encoder.encode(topicName(topic), event, payload);
  return new Uint8Array(encoder.bytes.subarray(HEADROOM, encoder.length));
}

/** Encodes a client's frame, independently of the tested code. */
function clientFrame(
  parts: readonly [joinRef: string, ref: string, topic: string, event: string],
  payload: Uint8Array,
): Uint8Array {
  const bytes = parts.map((part) => Buffer.from(part));
  const lengths = bytes.map(({ length }) => length);
  return new Uint8Array(Buffer.concat([Buffer.from([0, ...lengths]), ...bytes, payload]));
}

describe("a binary frame of version 2, from the client", () => {
  it("decodes join_ref, ref, topic, event and the bytes after them", () => {
    const frame = literal('00 01 01 06 03 "1" "2" "room:1" "bin" 00 ff 80');
    assert.deepEqual(decodeBinary(frame), {
      joinRef: "1",
      ref: "2",
      topic: "room:1",
      event: "bin",
      payload: Uint8Array.of(0, 255, 128),
    });
  });

  it("decodes empty parts as empty strings, and an empty payload", () => {
    assert.deepEqual(decodeBinary(literal('00 00 00 06 00 "room:1"')), {
      joinRef: "",
      ref: "",
      topic: "room:1",
      event: "",
      payload: new Uint8Array(0),
    });
    assert.equal(decodeBinary(literal("00 00 00 00 00"))?.topic, "");
  });

  it("copies the payload, whatever view the frame is in", () => {
    const whole = Buffer.concat([Buffer.from("xxx"), literal('00 00 00 01 01 "t" "e" 07 08')]);
    const frame = whole.subarray(3);
    const payload = decodeBinary(frame)?.payload;
    whole.fill(0xee);
    assert.ok(payload instanceof Uint8Array);
    assert.equal(Buffer.isBuffer(payload), false);
    assert.deepEqual([...payload], [7, 8]);
    assert.equal(payload.buffer.byteLength, 2);
  });

  it("counts bytes, not characters", () => {
    const message = decodeBinary(literal('00 00 00 09 06 "räum:1é" "ev🙂" 01'));
    assert.deepEqual([message?.topic, message?.event], ["räum:1é", "ev🙂"]);
    // One byte less splits the topic's last character.
    assert.equal(decodeBinary(literal('00 00 00 08 06 "räum:1é" "ev🙂" 01')), undefined);
  });

  it("refuses other kinds, and lengths beyond its end", () => {
    const malformed = ["", "00", "00 00 00 00", "ff", '5b "1,2,3,4,5]"', '01 00 00 01 01 "te"'];
    malformed.push('02 01 01 "te" 00 00', '00 01 01 0a 04 "12room:"', '00 00 00 01 01 "t"');
    malformed.push("00 ff ff ff ff");
    for (const frame of malformed) assert.equal(decodeBinary(literal(frame)), undefined, frame);
  });

  it("refuses refs and topics that are not UTF-8; such an event matches nothing", () => {
    for (const parts of ["01 00 01 01 ff", "00 01 01 01 ff", "00 00 02 01 c3"]) {
      assert.equal(decodeBinary(literal(`00 ${parts} "te"`)), undefined, parts);
    }
    assert.equal(decodeBinary(literal('00 00 00 01 02 "t" ff fe'))?.event, "\ufffd\ufffd");
    assert.equal(decodeBinary(literal('00 00 00 03 01 "\ufffd" "e"'))?.topic, "\ufffd");
  });

  it("decodes every frame that can be encoded", () => {
    const part = fc
      .string({ unit: "grapheme", maxLength: 20 })
      .filter((text) => Buffer.byteLength(text) <= 255);
    const parts = fc.tuple(part, part, part, part);
    fc.assert(
      fc.property(parts, fc.uint8Array(), (texts, payload) => {
        const [joinRef, ref, topic, event] = texts;
        const message = { joinRef, ref, topic, event, payload: new Uint8Array(payload) };
        assert.deepEqual(decodeBinary(clientFrame(texts, payload)), message);
      }),
    );
  });

  it("never throws, whatever the bytes", () => {
    const small = fc.integer({ min: 0, max: 12 });
    const almost = fc
      .tuple(small, small, small, small, fc.uint8Array({ maxLength: 48 }))
      .map(([j, r, t, e, rest]) => Uint8Array.of(0, j, r, t, e, ...rest));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), almost), (frame) => {
        const message = decodeBinary(frame);
        if (!message) return;
        const lengths = frame.subarray(1, 5).reduce((sum, length) => sum + length, 0);
        assert.equal((message.payload as Uint8Array).length, frame.length - 5 - lengths);
        for (const text of [message.joinRef, message.ref, message.topic]) {
          assert.equal(Buffer.from(text as string).toString(), text);
        }
      }),
    );
  });
});

describe("a binary frame of version 2, to the client", () => {
  it("is a reply: kind 1, with join_ref and ref", () => {
    const frame = literal('01 01 01 06 02 "1" "2" "room:1" "ok" "hi!"');
    const payload = Buffer.from("hi!");
    assert.deepEqual(plain(jsonV2.reply('"1"', "2", '"room:1"', "ok", payload)), frame);
  });

  it("is a push: kind 0, without a ref", () => {
    const frame = literal('00 01 06 03 "1" "room:1" "bin" "hi"');
    assert.deepEqual(plain(jsonV2.push('"1"', '"room:1"', "bin", HI)), frame);
  });

  it("is a broadcast: kind 2, without refs", () => {
    assert.deepEqual(broadcast("room:1", "bin", HI), literal('02 06 03 "room:1" "bin" "hi"'));
  });

  it("accepts bytes in every form, and only the view's part of a buffer", () => {
    const { buffer } = Uint8Array.of(0, 104, 105, 0);
    const forms = [HI, Buffer.from("hi"), HI.slice().buffer, new Uint8Array(buffer, 1, 2)];
    for (const form of forms) {
      assert.deepEqual(broadcast("t", "e", form), literal('02 01 01 "te" "hi"'));
      assert.deepEqual(plain(jsonV2.push("null", '"t"', "e", form)), literal('00 00 01 01 "tehi"'));
    }
    for (const other of [null, undefined, "hi", [104, 105], {}, 7]) {
      assert.equal(bytesOf(other), undefined);
    }
  });

  it("has no bytes for refs that are null, and converts other refs to text", () => {
    assert.deepEqual(reply("null", null), literal('01 00 00 01 02 "tok"'));
    assert.deepEqual(reply("7", 1.5), literal('01 01 03 01 02 "7" "1.5" "tok"'));
    assert.deepEqual(reply("true", false), literal('01 04 05 01 02 "true" "false" "tok"'));
    assert.deepEqual(
      reply('"a\\"b"', ["x", [121, "z"]]),
      literal('01 03 03 01 02 61 22 62 "xyztok"'),
    );
    for (const ref of [{}, [null], [[{}]]]) {
      assert.throws(() => reply("null", ref), { code: "SIM_ERR_PAYLOAD" });
      assert.throws(() => reply(JSON.stringify(ref), "1"), { code: "SIM_ERR_PAYLOAD" });
    }
  });

  it("has the topic as plain text, not as JSON", () => {
    const topic = 'a"b\\c\né';
    const bytes = Buffer.from(topic).toString("hex");
    assert.deepEqual(broadcast(topic, '"', HI), literal(`02 08 01 ${bytes} 22 "hi"`));
    const push = binaryPush("null", JSON.stringify(topic), "\n", HI);
    assert.deepEqual(plain(push), literal(`00 00 08 01 ${bytes} 0a "hi"`));
  });

  it("refuses parts of more than 255 bytes, and accepts those of 255", () => {
    const most = "é".repeat(127) + "x";
    const more = "é".repeat(128);
    assert.equal(broadcast(most, most, HI).length, 3 + 255 + 255 + 2);
    const json = JSON.stringify(more);
    assert.throws(() => broadcast(more, "e", HI), refused("topic"));
    assert.throws(() => broadcast("t", more, HI), refused("event"));
    assert.throws(() => jsonV2.push("null", json, "e", HI), refused("topic"));
    assert.throws(() => jsonV2.push("null", '"t"', more, HI), refused("event"));
    assert.throws(() => jsonV2.push(json, '"t"', "e", HI), refused("join_ref"));
    assert.throws(() => jsonV2.reply("null", more, '"t"', "ok", HI), refused("ref"));
    assert.throws(() => jsonV2.reply("null", "1", '"t"', more, HI), refused("status"));
    assert.throws(() => jsonV2.reply("null", "1", '"t"', 1 as never, HI), {
      message: "status must be a string, got number",
    });
  });

  it("is decoded by a client, whatever its parts", () => {
    const part = fc
      .string({ unit: "grapheme", maxLength: 20 })
      .filter((text) => Buffer.byteLength(text) <= 255);
    fc.assert(
      fc.property(part, part, part, part, fc.uint8Array(), (joinRef, ref, topic, status, bytes) => {
        const frame = plain(
          jsonV2.reply(JSON.stringify(joinRef), ref, JSON.stringify(topic), status, bytes),
        );
        // A reply differs from a client's frame only in its kind.
        assert.equal(frame[0], 1);
        frame[0] = 0;
        const message = { joinRef, ref, topic, event: status, payload: new Uint8Array(bytes) };
        assert.deepEqual(decodeBinary(frame), message);
      }),
    );
  });
});
