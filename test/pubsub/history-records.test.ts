import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Envelope, HEADER_BYTES, writeHeader } from "../../src/pubsub/envelope.ts";
import {
  adoptStored,
  Answer,
  AnswerWriter,
  packBurned,
  packJson,
  positionIn,
  setPositionIn,
  storedEnd,
  Trailer,
  trailerAt,
  TRAILER_BYTES,
  unpackJson,
} from "../../src/pubsub/history-records.ts";

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

describe("the trailer of a kept broadcast", () => {
  it("is drawn as excluded channel, member, generation and position", () => {
    const bytes = new Uint8Array(TRAILER_BYTES + 1);
    const trailer = new Trailer();
    trailer.channel = 0x89_ab_cd_ef;
    trailer.member = 0x0102;
    trailer.generation = 0xff_fe;
    trailer.write(bytes, 1);
    assert.equal(hexOf(bytes), `00efcdab890201feff${"00".repeat(8)}`);
    setPositionIn(bytes, 1, 1_000_000_000_018);
    assert.equal(hexOf(bytes.subarray(9)), "1210a5d4e8000000");
    assert.equal(positionIn(bytes, 1), 1_000_000_000_018);
    const { channel, member, generation } = new Trailer().read(bytes, 1);
    assert.deepEqual([channel, member, generation], [0x89_ab_cd_ef, 0x0102, 0xff_fe]);
  });

  it("keeps every position below 2^53", () => {
    const bytes = new Uint8Array(TRAILER_BYTES);
    for (const position of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      setPositionIn(bytes, 0, position);
      assert.equal(positionIn(bytes, 0), position);
    }
  });

  it("follows the frame, and is stored only if it excludes a channel", () => {
    assert.equal(trailerAt(8, 100), 140);
    const bytes = new Uint8Array(TRAILER_BYTES + 1);
    const trailer = new Trailer();
    trailer.member = 3;
    trailer.write(bytes, 1);
    assert.equal(storedEnd(bytes, 1), 1);
    trailer.channel = 256;
    trailer.write(bytes, 1);
    assert.equal(storedEnd(bytes, 1), 9);
  });
});

/** Returns an envelope with a frame of 3 bytes, and what a keeper stores of the trailer. */
function stored(): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + 3 + 8, 7);
  const length = HEADER_BYTES + 3;
  const none = { topicOffset: 0, topicLength: 0, eventOffset: 0, eventLength: 0 };
  writeHeader(0x01020304, {
    bytes,
    length,
    ...none,
    payloadOffset: 0,
    payloadLength: 0,
  });
  return bytes;
}

describe("the stored bytes of another process", () => {
  it("get this node's hash, and exclude nobody", () => {
    const adopted = adoptStored(stored(), -2);
    assert.equal(hexOf(adopted.subarray(0, 4)), "feffffff");
    assert.equal(hexOf(adopted.subarray(4)), hexOf(stored().subarray(4, HEADER_BYTES + 3)));
  });

  it("must be complete", () => {
    for (const length of [0, 31, HEADER_BYTES, HEADER_BYTES + 2]) {
      assert.throws(() => adoptStored(stored().subarray(0, length), 1), {
        code: "SIM_ERR_INTERNAL",
      });
    }
    const negative = stored();
    negative.writeInt32LE(-1, 28);
    assert.throws(() => adoptStored(negative, 1), { code: "SIM_ERR_INTERNAL" });
  });
});

describe("questions and settlements", () => {
  it("are JSON", () => {
    const ask = {
      ask: "pull",
      request: 1,
      topic: "rôom:1",
      epoch: "k3f9",
      after: 1_000_000_000_017,
      maxBytes: 32_768,
    } as const;
    const bytes = packJson(ask);
    assert.equal(
      Buffer.from(bytes).toString(),
      '{"ask":"pull","request":1,"topic":"rôom:1","epoch":"k3f9","after":1000000000017,"maxBytes":32768}',
    );
    assert.deepEqual(unpackJson(bytes, 0, bytes.length), ask);
    // The exchange reads records as words.
    assert.equal(bytes.byteOffset % 4, 0);
  });
});

describe("the answer to a pull", () => {
  const HEAD = {
    request: 7,
    epoch: "e",
    after: 1_000_000_000_000,
    head: 1_000_000_000_002,
    count: 2,
    recovered: true,
    isLast: true,
  };

  it("is drawn as the length of the head, the head, and messages", () => {
    const writer = new AnswerWriter();
    writer.begin();
    writer.add(1_000_000_000_001, Buffer.from("xab"), 1, 2);
    const length = writer.finish(HEAD);
    const head = JSON.stringify(HEAD);
    const expected = [
      Buffer.from([head.length, 0, 0, 0]),
      Buffer.from(head),
      Buffer.from("020000000110a5d4e80000006162", "hex"),
    ];
    assert.equal(hexOf(writer.bytes.subarray(0, length)), hexOf(Buffer.concat(expected)));
  });

  it("is read message by message, more than once, and larger than its first buffer", () => {
    const writer = new AnswerWriter();
    for (const round of [1, 2]) {
      writer.begin();
      const texts = ["", "b".repeat(5_000), `c${round}`];
      for (const [at, text] of texts.entries()) {
        writer.add(HEAD.after + at + 1, Buffer.from(text), 0, text.length);
      }
      const length = writer.finish({ ...HEAD, epoch: "é".repeat(round * 50) });
      const bytes = new Uint8Array(length + 3);
      bytes.set(writer.bytes.subarray(0, length), 3);
      const answer = new Answer(bytes, 3, length);
      assert.equal(answer.head.epoch, "é".repeat(round * 50));
      for (let reading = 0; reading < 2; reading += 1) {
        const read: [number, string][] = [];
        while (answer.next()) {
          const text = Buffer.from(bytes).toString(
            "utf8",
            answer.offset,
            answer.offset + answer.length,
          );
          read.push([answer.position - HEAD.after, text]);
        }
        assert.deepEqual(
          read,
          texts.map((text, at) => [at + 1, text]),
        );
        answer.rewind();
      }
    }
  });
});

describe("a message of an answer", () => {
  const FRAME = '[null,null,"a","b",{}]';
  // Hash, then offset and length of topic, event and payload, then the length of the frame.
  const WORDS = [7, 44, 1, 48, 1, 51, 2, FRAME.length];

  it("is read as an envelope, and as who is excluded, or nobody", () => {
    const trailer = new Trailer();
    trailer.channel = 9;
    trailer.member = 2;
    trailer.generation = 1;
    const bytes = new Uint8Array(HEADER_BYTES + FRAME.length + TRAILER_BYTES);
    bytes.set(new Uint8Array(Int32Array.from(WORDS).buffer));
    bytes.set(Buffer.from(FRAME), HEADER_BYTES);
    const at = trailerAt(0, FRAME.length);
    trailer.write(bytes, at);
    const writer = new AnswerWriter();
    writer.begin();
    writer.add(11, bytes, 0, storedEnd(bytes, at));
    writer.add(12, bytes, 0, at);
    const head = {
      request: 1,
      epoch: "e",
      after: 10,
      head: 12,
      count: 2,
      recovered: true,
      isLast: true,
    };
    const answer = new Answer(writer.bytes, 0, writer.finish(head));
    const envelope = new Envelope();
    const read: unknown[] = [];
    while (answer.next()) {
      answer.read(envelope, trailer);
      const { channel, member, generation } = trailer;
      read.push([
        envelope.position,
        envelope.event(),
        envelope.length,
        channel,
        member,
        generation,
      ]);
    }
    const length = HEADER_BYTES + FRAME.length;
    assert.deepEqual(read, [
      [11, "b", length, 9, 2, 1],
      [12, "b", length, 0, 0, 0],
    ]);
  });
});

describe("a report of burned slots", () => {
  it("has an int32 for each, or nothing for all", () => {
    assert.equal(hexOf(packBurned(Int32Array.of(1, 258))), "0100000002010000");
    assert.equal(packBurned("all").length, 0);
  });
});
