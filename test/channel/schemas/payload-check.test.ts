/**
 * Schemas of incoming payloads: what reaches handlers, and the exact answers to the rest.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";

import { defineChannel } from "../../../src/channel/definition.ts";
import { error, ok, reply, stop } from "../../../src/callbacks/results.ts";
import { typed } from "../../../src/channel/schemas/typed.ts";
import { verbatim } from "../../../src/channel/verbatim.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import { turn, World } from "../../support/world.ts";
import type { WorldClient } from "../../support/world.ts";

const ANYONE = defineSocket({ connect: () => ok({}) });

/** The same schema in each library: it checks and trims the body. */
const LIBRARIES: Readonly<Record<string, StandardSchemaV1<unknown, { body: string }>>> = {
  zod: z.object({ body: z.string().trim() }),
  valibot: v.object({ body: v.pipe(v.string(), v.trim()) }),
  arktype: type({ body: "string.trim" }),
};

/** Counts the payloads that reach the handler of `say`, which has a schema. */
function worldOf(schema: StandardSchemaV1<unknown, unknown>): { world: World; seen: unknown[] } {
  const seen: unknown[] = [];
  const room = defineChannel(ANYONE, {
    in: { say: schema },
    join: () => ok(),
    handleIn: {
      say(_, payload) {
        seen.push(payload);
        return ok(payload);
      },
    },
  });
  return { world: new World({ channels: { "room:*": room } }), seen };
}

function joined(world: World): WorldClient {
  const client = world.connect();
  client.asked('["1","1","room:1","phx_join",{}]');
  return client;
}

for (const [name, schema] of Object.entries(LIBRARIES)) {
  describe(`a payload with a schema of ${name}`, () => {
    it("reaches the handler as the output of the schema", () => {
      const { world, seen } = worldOf(schema);
      assert.deepEqual(joined(world).asked('["1","2","room:1","say",{"body":" hi "}]'), [
        '["1","2","room:1","phx_reply",{"status":"ok","response":{"body":"hi"}}]',
      ]);
      assert.deepEqual(seen, [{ body: "hi" }]);
    });

    it("that does not match is answered with its issues, and does not reach the handler", () => {
      const { world, seen } = worldOf(schema);
      const client = joined(world);
      for (const payload of ["{}", '{"body":7}', "[]", "null", '"text"', "7"]) {
        const [frame = ""] = client.asked(`["1","2","room:1","say",${payload}]`);
        const [, ref, , event, { status, response }] = JSON.parse(frame);
        assert.deepEqual([ref, event, status], ["2", "phx_reply", "error"]);
        assert.equal(response.reason, "invalid_payload");
        const [issue] = response.issues;
        assert.deepEqual(Object.keys(issue), ["path", "message"]);
        assert.equal(typeof issue.message, "string");
        if (payload.startsWith("{")) assert.deepEqual(issue.path, ["body"]);
      }
      assert.deepEqual(seen, []);
      // The channel still works.
      assert.equal(client.asked('["1","3","room:1","say",{"body":"hi"}]').length, 1);
      assert.deepEqual(world.troubles(), []);
    });
  });
}

/** A schema whose check is a function supplied by the test. */
function schemaOf(
  validate: StandardSchemaV1.Props["validate"],
): StandardSchemaV1<unknown, unknown> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

describe("a schema", () => {
  it("may be asynchronous, and messages keep their order", async () => {
    const slow = schemaOf(async (value) => {
      await turn();
      return { value };
    });
    const { world, seen } = worldOf(slow);
    const client = joined(world);
    assert.deepEqual(client.asked('["1","2","room:1","say",1]'), []);
    client.asked('["1","3","room:1","say",2]');
    while (seen.length < 2) await turn();
    assert.deepEqual(seen, [1, 2]);
  });

  it("that throws or rejects crashes its channel, like a handler", async () => {
    for (const validate of [
      (): never => {
        throw new Error("no");
      },
      async (): Promise<never> => Promise.reject(new Error("no")),
    ]) {
      const { world } = worldOf(schemaOf(validate));
      const client = joined(world);
      const frames = client.asked('["1","2","room:1","say",1]');
      await turn();
      assert.deepEqual(
        [...frames, ...client.taken()],
        ['["1","1","room:1","phx_error",{"reason":"channel_crash"}]'],
      );
    }
  });

  it("has issues whose path contains keys as text, including symbols", () => {
    const issues = [{ message: "no", path: ["a", 0, { key: "b" }, Symbol("c")] }];
    const { world } = worldOf(schemaOf(() => ({ issues })));
    assert.deepEqual(joined(world).asked('["1","2","room:1","say",1]'), [
      '["1","2","room:1","phx_reply",{"status":"error","response":{"reason":"invalid_payload","issues":[{"path":["a",0,"b","Symbol(c)"],"message":"no"}]}}]',
    ]);
  });

  it("has at most 16 issues in an answer, with short messages, however many there are", () => {
    const { world } = worldOf(z.array(z.string()));
    const [many = ""] = joined(world).asked(
      `["1","2","room:1","say",${JSON.stringify(Array(100_000).fill(1))}]`,
    );
    assert.equal(JSON.parse(many)[4].response.issues.length, 16);
    const long = worldOf(schemaOf(() => ({ issues: [{ message: "m".repeat(100_000) }] })));
    const [answer = ""] = joined(long.world).asked('["1","2","room:1","say",1]');
    assert.equal(JSON.parse(answer)[4].response.issues[0].message.length, 512);
  });

  it("has short names in the paths of an answer, without half a surrogate pair", () => {
    const { world } = worldOf(z.record(z.string(), z.number()));
    const name = `${"n".repeat(511)}🎲${"n".repeat(100_000)}`;
    const [answer = ""] = joined(world).asked(`["1","2","room:1","say",{"${name}":"1"}]`);
    assert.deepEqual(JSON.parse(answer)[4].response.issues[0].path, ["n".repeat(511)]);
  });

  it("of parameters refuses a join, which may be tried again", () => {
    const room = defineChannel(ANYONE, {
      params: z.object({ page: z.number().default(1) }),
      join: (_, { page }) => ok({ page }),
    });
    const client = new World({ channels: { "room:*": room } }).connect();
    assert.deepEqual(client.asked('["1","1","room:1","phx_join",{"page":"x"}]'), [
      '["1","1","room:1","phx_reply",{"status":"error","response":{"reason":"invalid_payload","issues":[{"path":["page"],"message":"Invalid input: expected number, received string"}]}}]',
    ]);
    assert.deepEqual(client.asked('["2","2","room:1","phx_join",{}]'), [
      '["2","2","room:1","phx_reply",{"status":"ok","response":{"page":1}}]',
    ]);
  });
});

describe("a payload with a limit", () => {
  const seen: unknown[] = [];
  const room = defineChannel(ANYONE, {
    in: {
      say: { payload: typed<unknown>(), maxBytes: 9 },
      draw: { maxBytes: 9 },
      check: { payload: z.string(), maxBytes: 9 },
    },
    join: () => ok(),
    handleIn: {
      say: (_, payload) => void seen.push(payload),
      draw: verbatim((_, payload) => ok(payload)),
      check: () => ok(),
    },
  });
  const TOO_LARGE =
    '["1","2","room:1","phx_reply",{"status":"error","response":{"reason":"payload_too_large","max_bytes":9}}]';

  it("may have that many bytes, as they were written", () => {
    const client = joined(new World({ channels: { "room:*": room } }));
    seen.length = 0;
    for (const text of ['"1234567"', '"äöü1"', "[1, 2, 3]"]) {
      assert.ok(Buffer.byteLength(text) <= 9);
      assert.deepEqual(client.asked(`["1","2","room:1","say",${text}]`), []);
    }
    assert.equal(seen.length, 3);
  });

  it("with more bytes is refused, and reaches neither schema nor handler", () => {
    const client = joined(new World({ channels: { "room:*": room } }));
    seen.length = 0;
    for (const text of ['"12345678"', '"äöü12"', "[1,  2, 3]"]) {
      assert.deepEqual(client.asked(`["1","2","room:1","say",${text}]`), [TOO_LARGE]);
    }
    assert.deepEqual(seen, []);
    // Spaces around a payload belong to the frame, not to the payload.
    assert.deepEqual(client.asked('["1","2","room:1","say",   [1,2,3]   ]'), []);
    assert.deepEqual(client.asked('["1","2","room:1","check",[1,2,3,4,5]]'), [TOO_LARGE]);
    assert.deepEqual(client.asked('["1","2","room:1","draw","12345678"]'), [TOO_LARGE]);
    assert.deepEqual(client.asked('["1","2","room:1","draw","1234567"]'), [
      '["1","2","room:1","phx_reply",{"status":"ok","response":"1234567"}]',
    ]);
  });

  it("counts bytes as they are encoded again, for version 1", () => {
    const client = new World({ channels: { "room:*": room } }).connect({ vsn: "1.0.0" });
    client.asked('{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}');
    const say = (text: string): readonly unknown[] =>
      client.asked(`{"topic":"room:1","event":"say","payload":${text},"ref":"2"}`);
    assert.deepEqual(say("[1, 2,  3]"), []);
    assert.equal(say("[1,2,3,4,5]").length, 1);
  });
});

function define(callbacks: object): void {
  defineChannel(ANYONE, { join: () => ok(), ...callbacks });
}

function refuses(callbacks: object, message: string): void {
  assert.throws(() => define(callbacks), { code: "SIM_ERR_DEFINITION_INVALID", message });
}

describe("a declaration", () => {
  it("must be a schema, or an object with known keys", () => {
    const handleIn = { say: (): void => {} };
    const forms =
      "in.say must be a Standard Schema or typed(), or have some of payload, reply, maxBytes, rate";
    refuses({ handleIn, in: { say: 7 } }, `${forms}, got number`);
    refuses({ handleIn, in: { say: { type: "object" } } }, `${forms}, got type`);
    refuses(
      { handleIn, in: { say: { maxByte: 1 } } },
      `${forms}, got maxByte; did you mean maxBytes?`,
    );
    refuses(
      { handleIn, in: { say: { payload: {} } } },
      "payload of in.say must be a Standard Schema or typed(), got object",
    );
    refuses(
      { handleIn, in: { say: { reply: 1 } } },
      "reply of in.say must be a JSON Schema, a Standard Schema or typed(), got number",
    );
    for (const maxBytes of [0, 1.5, Number.NaN, 2_147_483_648]) {
      refuses(
        { handleIn, in: { say: { maxBytes } } },
        `maxBytes of in.say must be an integer from 1 to 2147483647 (bytes), got ${maxBytes}`,
      );
    }
    refuses({ params: {} }, "params must be a Standard Schema or typed(), got object");
    refuses(
      { out: { say: "string" } },
      "out.say must be a JSON Schema, a Standard Schema or typed(), got string",
    );
  });

  it("must have a handler, and no schema if that handler is verbatim", () => {
    refuses({ in: { say: typed() } }, "in.say must have a handler in handleIn, got none");
    refuses(
      { in: { say: z.string() }, handleIn: { say: verbatim(() => {}) } },
      "in.say must be typed() because its handler is verbatim, got a schema",
    );
    define({ in: { say: typed() }, handleIn: { say: verbatim(() => {}) } });
  });

  it("of a type checks nothing", () => {
    const room = defineChannel(ANYONE, {
      params: typed<{ n: number }>(),
      in: { say: typed<{ body: string }>() },
      join: (_, payload) => ok(payload),
      handleIn: { say: (_, payload) => ok(payload) },
    });
    const client = new World({ channels: { "room:*": room } }).connect();
    assert.equal(client.asked('["1","1","room:1","phx_join",{"n":"x"}]').length, 1);
    assert.deepEqual(client.asked('["1","2","room:1","say",7]'), [
      '["1","2","room:1","phx_reply",{"status":"ok","response":7}]',
    ]);
  });
});

describe("a handler behind a schema", () => {
  it("may return everything that other handlers may", () => {
    const results = [
      undefined,
      ok({ a: 1 }),
      error({ b: 2 }),
      reply("seen", 3),
      stop("normal", ok()),
    ];
    for (const result of results) {
      const checkedRoom = defineChannel(ANYONE, {
        in: { say: z.number() },
        join: () => ok(),
        handleIn: { say: () => result },
      });
      const plainRoom = defineChannel(ANYONE, {
        join: () => ok(),
        handleIn: { say: () => result },
      });
      const say = (definition: typeof checkedRoom | typeof plainRoom): readonly unknown[] =>
        joined(new World({ channels: { "room:*": definition } })).asked(
          '["1","2","room:1","say",7]',
        );
      assert.deepEqual(say(checkedRoom), say(plainRoom));
    }
  });
});
