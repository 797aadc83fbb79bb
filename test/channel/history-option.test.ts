import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { askingJoin } from "../../src/channel/history-option.ts";
import { defineEndpoint, defineSocket, ok } from "../../src/index.ts";
import { channel } from "../support/world.ts";

const GIVEN = { size: 10, ttlMs: 1_000 };

describe("the option history", () => {
  it("has defaults", () => {
    const { history } = channel({ history: GIVEN });
    assert.deepEqual(history, { ...GIVEN, maxBytes: 16_777_216, ephemeral: [] });
    assert.equal(channel().history, undefined);
  });

  const wrong: readonly [given: unknown, message: string][] = [
    [1, "history must be an object, got number"],
    [
      { ...GIVEN, sizes: 1 },
      "history may only have the keys size, ttlMs, maxBytes, ephemeral, got sizes; did you mean size?",
    ],
    [
      { ttlMs: 1 },
      "size of history must be an integer from 1 to 1000000 (messages), got undefined",
    ],
    [
      { ...GIVEN, size: 0 },
      "size of history must be an integer from 1 to 1000000 (messages), got 0",
    ],
    [{ size: 1 }, "ttlMs of history must be an integer from 1 to 31536000000 (ms), got undefined"],
    [
      { ...GIVEN, maxBytes: 0.5 },
      "maxBytes of history must be an integer from 1 to 1073741824 (bytes), got 0.5",
    ],
    [
      { ...GIVEN, ephemeral: "typing" },
      'ephemeral of history must be a list of events, got "typing"',
    ],
    [{ ...GIVEN, ephemeral: [1] }, "ephemeral of history must be a list of events, got array"],
  ];
  for (const [given, message] of wrong) {
    it(`must not be ${JSON.stringify(given)}`, () => {
      assert.throws(() => channel({ history: given as never }), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message,
      });
    });
  }

  it("cannot be combined with slow", () => {
    assert.throws(() => channel({ history: GIVEN, slow: "conflate" }), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message: "a channel must not have both history and slow, which lets clients miss broadcasts",
    });
  });

  it("must be the same for all channels of a topic", () => {
    const socket = defineSocket({ connect: () => ok({}) });
    const mount = (size: number): object => ({
      socket,
      channels: { "room:*": channel({ history: { ...GIVEN, size } }) },
    });
    assert.throws(() => defineEndpoint({ sockets: { "/a": mount(1), "/b": mount(2) } as never }), {
      code: "SIM_ERR_DEFINITION_INVALID",
      message:
        'channels of a topic must declare the same history, got two for "room:*" and "room:*"',
    });
    defineEndpoint({ sockets: { "/a": mount(1), "/b": mount(1) } as never });
  });
});

describe("a join's payload", () => {
  it("asks for nothing without the key", () => {
    for (const payload of [undefined, null, 1, "x", [], {}, Uint8Array.of(1)]) {
      assert.equal(askingJoin(payload), undefined);
    }
  });

  it("is passed on without the key", () => {
    const { payload, asked } = askingJoin({ a: 1, history: null }) ?? {};
    assert.deepEqual(payload, { a: 1 });
    assert.deepEqual(asked, { epoch: undefined, after: undefined, last: undefined });
  });

  it("asks for a position, a number of messages, or both", () => {
    const position = { epoch: "k3f9", offset: "1000000000017" };
    const asked = { epoch: "k3f9", after: 1_000_000_000_017, last: undefined };
    assert.deepEqual(askingJoin({ history: position })?.asked, asked);
    assert.deepEqual(askingJoin({ history: { ...position, last: 5 } })?.asked, {
      ...asked,
      last: 5,
    });
  });
});
