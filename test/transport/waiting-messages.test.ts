import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { WaitingMessages, type WaitingMessage } from "../../src/transport/waiting-messages.ts";

const MAX_BYTES = 262_144;
const HEADER_BYTES = 5;

type Kind = WaitingMessage["kind"];

function taken(messages: WaitingMessages): [Kind, number[]] | undefined {
  const message = messages.take();
  return message && [message.kind, [...message.bytes]];
}

describe("Waiting messages", () => {
  it("are taken in order, as they were added, however they are mixed", () => {
    const kind = fc.constantFrom<Kind>("text", "bytes", "ping", "pong");
    const add = fc.tuple(kind, fc.uint8Array({ maxLength: 12_000 }));
    fc.assert(
      fc.property(fc.array(fc.option(add), { maxLength: 60 }), (steps) => {
        const messages = new WaitingMessages();
        const expected: [Kind, number[]][] = [];
        for (const step of steps) {
          if (!step) assert.deepEqual(taken(messages), expected.shift());
          else if (messages.tryAdd(...step)) expected.push([step[0], [...step[1]]]);
        }
        while (!messages.isEmpty) assert.deepEqual(taken(messages), expected.shift());
        assert.deepEqual(expected, []);
      }),
    );
  });

  it("are copies", () => {
    const messages = new WaitingMessages();
    const bytes = Uint8Array.of(1, 2);
    messages.tryAdd("bytes", bytes);
    bytes.fill(0);
    assert.deepEqual(taken(messages), ["bytes", [1, 2]]);
  });

  it("have a bound, which what was taken no longer counts towards", () => {
    const messages = new WaitingMessages();
    const half = new Uint8Array(MAX_BYTES / 2 - HEADER_BYTES);
    assert.deepEqual(
      [1, 2, 3].map(() => messages.tryAdd("bytes", half)),
      [true, true, false],
    );
    messages.take();
    assert.equal(messages.tryAdd("bytes", half), true);
    assert.equal(messages.tryAdd("ping", new Uint8Array(0)), false);
  });

  it("can be a single message that is larger", () => {
    const messages = new WaitingMessages();
    assert.equal(messages.tryAdd("bytes", new Uint8Array(1_000_000)), true);
    assert.equal(messages.tryAdd("bytes", new Uint8Array(1)), false);
    assert.equal(messages.take()?.bytes.length, 1_000_000);
  });
});
