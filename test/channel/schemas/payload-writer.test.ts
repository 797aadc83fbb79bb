/**
 * Payloads with a JSON Schema: which parts of them are sent.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Type } from "@sinclair/typebox";

import { defineChannel } from "../../../src/channel/definition.ts";
import { ok, reply, stop } from "../../../src/callbacks/results.ts";
import { payloadWriter } from "../../../src/channel/schemas/payload-writer.ts";
import { typed } from "../../../src/channel/schemas/typed.ts";
import { verbatim } from "../../../src/channel/verbatim.ts";
import { JsonText } from "../../../src/protocol/json-text.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import { turn, World } from "../../support/world.ts";
import type { WorldClient } from "../../support/world.ts";

const ANYONE = defineSocket({ connect: () => ok({}) });
const USER = Type.Object(
  { id: Type.Integer(), name: Type.Optional(Type.String()) },
  { additionalProperties: false },
);
/** A database row with a column that clients must not see. */
const ROW = { id: 1, name: "Ann", password: "secret" };

const room = defineChannel(ANYONE, {
  in: {
    me: { reply: USER },
    later: { reply: USER },
    bye: { reply: USER },
    ref: { reply: USER },
    refLater: { reply: USER },
  },
  out: {
    user: USER,
    open: Type.Object({ id: Type.Integer() }),
    bytes: USER,
    plain: typed<object>(),
  },
  join: () => ok(),
  handleIn: {
    me: () => ok(ROW),
    later: async () => Promise.resolve(reply("ok", ROW)),
    bye: () => stop("normal", ok(ROW)),
    other: () => reply("other", ROW),
    ref: (socket) => socket.replyLater().reply("ok", ROW),
    async refLater(socket) {
      await turn();
      const ref = socket.replyLater();
      ref.reply("error", ROW);
      ref.reply("ok", ROW);
    },
    plainRef: (socket) => socket.replyLater().reply("ok", ROW),
    push: (socket) => socket.push("user", ROW),
    shout: (socket) => socket.broadcast("user", ROW),
    open: (socket) => socket.push("open", ROW),
    plain: (socket) => socket.push("plain", ROW),
    bytes: (socket) => socket.push("bytes", Buffer.from("é") as never),
    relay: verbatim((socket, payload) => socket.push("user", payload as never)),
    lacks: (socket) => socket.push("user", {} as never),
    differs: (socket) => socket.push("user", { id: "one" } as never),
  },
});

function joined(): { world: World; client: WorldClient } {
  const world = new World({ channels: { "room:*": room } });
  const client = world.connect();
  client.asked('["1","1","room:1","phx_join",{}]');
  return { world, client };
}

function asked(event: string): readonly unknown[] {
  return joined().client.asked(`["1","2","room:1","${event}",{}]`);
}

describe("an event with a JSON Schema", () => {
  const SHOWN = '{"id":1,"name":"Ann"}';
  const WHOLE = '{"id":1,"name":"Ann","password":"secret"}';

  it("that forbids additional properties is sent without them", () => {
    assert.deepEqual(asked("push"), [`["1",null,"room:1","user",${SHOWN}]`]);
    assert.deepEqual(asked("shout"), [`[null,null,"room:1","user",${SHOWN}]`]);
  });

  it("that forbids none, or only has a type, is sent completely", () => {
    assert.deepEqual(asked("open"), [`["1",null,"room:1","open",${WHOLE}]`]);
    assert.deepEqual(asked("plain"), [`["1",null,"room:1","plain",${WHOLE}]`]);
  });

  it("is sent without them even if the payload is verbatim", () => {
    const text = joined().client.asked(`["1","2","room:1","relay",${WHOLE}]`);
    assert.deepEqual(text, [`["1",null,"room:1","user",${SHOWN}]`]);
  });

  it("may have bytes as payload, which are sent unchanged", () => {
    assert.match(String(asked("bytes")[0]), /c3a9$/);
  });

  it("with a missing property, or of another type, crashes the handler that sends it", () => {
    for (const [event, why] of [
      ["lacks", 'out.user must match its schema: Error: "id" is required!'],
      [
        "differs",
        'out.user must match its schema: Error: The value "one" cannot be converted to an integer.',
      ],
    ] as const) {
      const { world, client } = joined();
      assert.deepEqual(client.asked(`["1","2","room:1","${event}",{}]`), [
        '["1","1","room:1","phx_error",{"reason":"channel_crash"}]',
      ]);
      assert.equal(world.lastError(), why);
    }
  });
});

describe("a reply with a JSON Schema", () => {
  const ANSWER = '["1","2","room:1","phx_reply",{"status":"ok","response":{"id":1,"name":"Ann"}}]';

  it("has only what the schema names, at once, later, and before an end", async () => {
    assert.deepEqual(asked("me"), [ANSWER]);
    assert.equal(asked("bye")[0], ANSWER);
    const { client } = joined();
    const before = client.asked('["1","2","room:1","later",{}]');
    await turn();
    assert.deepEqual([...before, ...client.taken()], [ANSWER]);
  });

  it("has only what the schema names if a LaterReply sends it", async () => {
    assert.deepEqual(asked("ref"), [ANSWER]);
    const { client } = joined();
    const before = client.asked('["1","2","room:1","refLater",{}]');
    await turn();
    await turn();
    const [refused, accepted] = [...before, ...client.taken()];
    assert.match(String(refused), /"status":"error".*secret/);
    assert.equal(accepted, ANSWER);
  });

  it("does not affect replies to the next event", () => {
    const { client } = joined();
    client.asked('["1","2","room:1","ref",{}]');
    assert.match(String(client.asked('["1","3","room:1","plainRef",{}]')[0]), /secret/);
  });

  it("with another status, or to another event, is sent completely", () => {
    assert.match(String(asked("other")[0]), /secret/);
  });
});

function written(schema: object, value: unknown): string {
  const result = payloadWriter("it", schema)?.(value);
  assert.ok(result instanceof JsonText);
  return result.text;
}

describe("a compiled schema", () => {
  it("closes the objects that forbid additional properties, and no others", () => {
    const inner = { type: "object", properties: { a: { type: "integer" } } };
    const value = { b: 1, inner: { a: 1, b: 2 } };
    assert.equal(
      written(
        { type: "object", properties: { inner: { ...inner, additionalProperties: false } } },
        value,
      ),
      '{"inner":{"a":1},"b":1}',
    );
    assert.equal(
      written({ type: "object", properties: { inner }, additionalProperties: false }, value),
      '{"inner":{"a":1,"b":2}}',
    );
  });

  it("does not close objects whose type is one of several, or missing", () => {
    for (const inner of [
      { type: ["object", "null"], properties: { a: { type: "integer" } } },
      { properties: { a: { type: "integer" } } },
    ]) {
      const schema = { type: "object", properties: { inner }, additionalProperties: false };
      const value = { b: 1, inner: { a: 1, b: 2 } };
      assert.equal(written(schema, value), '{"inner":{"a":1,"b":2}}');
    }
  });

  it("does not take property names for keywords, or literals for schemas", () => {
    const schema = {
      type: "object",
      properties: { type: { const: { type: "object" } }, properties: { type: "string" } },
      additionalProperties: false,
    };
    const value = { type: { type: "object" }, properties: "p" };
    assert.deepEqual(JSON.parse(written(schema, value)), value);
    assert.equal(payloadWriter("it", { const: { additionalProperties: false } }), undefined);
  });

  it("of an object accepts only objects, and treats a missing payload as an empty one", () => {
    const schema = { type: "object", properties: {}, additionalProperties: false };
    assert.equal(written(schema, undefined), "{}");
    for (const [value, name] of [
      [null, "null"],
      ["s", "string"],
    ] as const) {
      assert.throws(() => written(schema, value), {
        code: "SIM_ERR_PAYLOAD",
        message: `it must match its schema: an object, got ${name}`,
      });
    }
    assert.equal(written({ ...schema, type: ["object", "null"] }, null), "null");
  });

  it("is compiled if the closed object is in a list, a choice or a reference", () => {
    const closed = {
      type: "object",
      properties: { a: { type: "integer" } },
      additionalProperties: false,
    };
    assert.equal(
      written(
        { type: "object", properties: { list: { type: "array", items: closed } } },
        {
          list: [{ a: 1, b: 2 }],
        },
      ),
      '{"list":[{"a":1}]}',
    );
    assert.equal(
      written(
        {
          type: "object",
          properties: { one: { $ref: "#/definitions/one" } },
          definitions: { one: closed },
        },
        { one: { a: 1, b: 2 } },
      ),
      '{"one":{"a":1}}',
    );
  });

  it("does not exist if nothing is forbidden", () => {
    assert.equal(payloadWriter("it", { type: "object", properties: {} }), undefined);
  });

  it("must compile", () => {
    assert.throws(
      () => payloadWriter("out.user", { type: "no such", additionalProperties: false }),
      {
        code: "SIM_ERR_DEFINITION_INVALID",
        message: /^out\.user must be a JSON Schema that can be compiled, got /,
      },
    );
  });
});
