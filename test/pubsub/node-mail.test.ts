import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { BroadcastEncoder, topicName } from "../../src/protocol/broadcast-encoder.ts";
import { HEADER_BYTES, writeHeader } from "../../src/pubsub/envelope.ts";
import { isMail, packMail, unpackMail } from "../../src/pubsub/node-mail.ts";

const ADDRESS = fc.record(
  { node: fc.string({ unit: "grapheme" }), member: fc.nat(0xffff) },
  { noNullPrototype: true },
);

describe("mail between nodes", () => {
  it("has both addresses before its body", () => {
    const mail = packMail({ node: "bee", member: 3 }, { node: "ä", member: 2 }, Buffer.from("hi"));
    const header = "00000000 00000000 0300 0200 0300 0200".replaceAll(" ", "");
    assert.equal(Buffer.from(mail).toString("hex"), `${header}626565c3a46869`);
  });

  it("is read as it was written, at any offset of a buffer (property)", () => {
    fc.assert(
      fc.property(ADDRESS, ADDRESS, fc.uint8Array(), fc.nat(7), (to, from, body, offset) => {
        const packed = packMail(to, from, body);
        const shared = new Uint8Array(new SharedArrayBuffer(offset + packed.length));
        shared.set(packed, offset);
        const bytes = shared.subarray(offset);
        const mail = unpackMail(bytes);
        assert.ok(isMail(bytes));
        assert.deepEqual([mail.to, mail.from], [to, from]);
        assert.deepEqual(Uint8Array.from(bytes.subarray(mail.bodyOffset)), body);
      }),
    );
  });

  it("is never mistaken for a broadcast, nor a broadcast for mail, nor anything too short for either", () => {
    for (const topic of ["", "t", "mail", "\0\0\0\0"]) {
      for (const payload of [{}, Uint8Array.of(0)]) {
        const encoder = new BroadcastEncoder(HEADER_BYTES);
        encoder.encode(topicName(topic), "e", payload);
        writeHeader(0, encoder);
        assert.equal(isMail(encoder.bytes.subarray(0, encoder.length)), false);
      }
    }
    assert.equal(isMail(new Uint8Array(7)), false);
  });
});
