/**
 * Payloads with a JSON Schema: which parts of them are sent.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Type } from "@sinclair/typebox";
import { z } from "zod";

import { defineChannel } from "../../../src/channel/definition.ts";
import { ok, reply, stop } from "../../../src/callbacks/results.ts";
import { payloadWriter } from "../../../src/channel/schemas/payload-writer.ts";
import { typed } from "../../../src/channel/schemas/typed.ts";
import { verbatim } from "../../../src/channel/verbatim.ts";
import { JsonText } from "../../../src/protocol/json-text.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import { turn, World } from "../../support/world.ts";
import type { WorldClient } from "../../support/world.ts";

// `then` is a keyword of JSON Schema.
/* oxlint-disable unicorn/no-thenable */

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
      ["lacks", "out.user must match its schema: it must have the field id"],
      ["differs", "out.user must match its schema: /id must be of type integer, got string"],
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
      '{"b":1,"inner":{"a":1}}',
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
    assert.equal(payloadWriter("it", { default: { additionalProperties: false } }), undefined);
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
        message: `it must match its schema: it must be of type object, got ${name}`,
      });
    }
    assert.equal(written({ ...schema, type: ["object", "null"] }, null), "null");
  });

  it("is refused if the value is one whose content JSON does not have", () => {
    const schema = {
      type: "object",
      properties: { a: { type: "integer" } },
      additionalProperties: false,
    };
    for (const value of [Promise.resolve({ a: 1 }), new Map([["a", 1]])]) {
      assert.throws(() => written(schema, value), {
        code: "SIM_ERR_PAYLOAD",
        message: /^payload must be a value that JSON can represent, got a (Promise|Map)/,
      });
    }
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
});

const CLOSED = {
  type: "object",
  properties: { a: { type: "integer" } },
  additionalProperties: false,
} as const;
const NAMED = {
  type: "object",
  properties: { a: { type: "integer" }, b: { type: "string" } },
  required: ["b"],
  additionalProperties: false,
} as const;

function fields(properties: object, more: object = {}): object {
  return { type: "object", properties, ...more };
}

describe("a field that no schema declares", () => {
  const cases: readonly (readonly [
    where: string,
    schema: object,
    value: unknown,
    left: unknown,
  ])[] = [
    ["in a choice", { anyOf: [CLOSED, { type: "null" }] }, { a: 1, x: 1 }, { a: 1 }],
    ["in one of several", { oneOf: [CLOSED, { type: "null" }] }, { a: 1, x: 1 }, { a: 1 }],
    [
      "in a choice of more fields",
      { anyOf: [CLOSED, NAMED] },
      { a: 1, b: "b", x: 1 },
      { a: 1, b: "b" },
    ],
    ["in a choice that does not match", { anyOf: [NAMED, CLOSED] }, { a: 1, b: 2, x: 1 }, { a: 1 }],
    [
      "in the first of choices with as many fields",
      {
        anyOf: [
          fields({ a: {} }, { additionalProperties: false }),
          fields({ b: {} }, { additionalProperties: false }),
        ],
      },
      { b: 1, a: 1 },
      { a: 1 },
    ],
    ["in an item", { items: CLOSED }, [{ a: 1, x: 1 }], [{ a: 1 }]],
    [
      "in an item of a tuple",
      { prefixItems: [CLOSED] },
      [{ a: 1, x: 1 }, { x: 1 }],
      [{ a: 1 }, { x: 1 }],
    ],
    [
      "in an item of an older tuple",
      { items: [CLOSED], additionalItems: CLOSED },
      [{ a: 1, x: 1 }, { x: 1 }],
      [{ a: 1 }, {}],
    ],
    [
      "in another item",
      { contains: true, unevaluatedItems: CLOSED, prefixItems: [true] },
      [{ x: 1 }],
      [{ x: 1 }],
    ],
    [
      "in an unevaluated item",
      { prefixItems: [true], unevaluatedItems: CLOSED },
      [{ x: 1 }, { x: 1 }],
      [{ x: 1 }, {}],
    ],
    [
      "in an additional field",
      { additionalProperties: CLOSED },
      { k: { a: 1, x: 1 } },
      { k: { a: 1 } },
    ],
    [
      "in a field with a pattern",
      { patternProperties: { "^k": CLOSED } },
      { k1: { x: 1 }, l: { x: 1 } },
      { k1: {}, l: { x: 1 } },
    ],
    [
      "in all of several",
      { allOf: [fields({ a: {}, b: {} }, { additionalProperties: false }), CLOSED] },
      { a: 1, b: 1 },
      { a: 1 },
    ],
    [
      "beside several",
      { allOf: [fields({ a: {} }), fields({ b: {} })], unevaluatedProperties: false },
      { a: 1, b: 1, x: 1 },
      { a: 1, b: 1 },
    ],
    [
      "by a choice that does not match",
      {
        anyOf: [fields({ x: {} }, { allOf: [{ required: ["y"] }] }), fields({ a: {} })],
        unevaluatedProperties: false,
      },
      { a: 1, x: 1 },
      { a: 1 },
    ],
    [
      "by a choice that no longer matches without another field",
      { anyOf: [{ required: ["x"] }, CLOSED], dependentSchemas: { a: fields({ x: false }) } },
      { a: 1, x: 1, y: 1 },
      { a: 1 },
    ],
    ["in a reference", { $ref: "#/$defs/one", $defs: { one: CLOSED } }, { a: 1, x: 1 }, { a: 1 }],
    [
      "in a reference to an $id",
      { $ref: "one", $defs: { one: { ...CLOSED, $id: "one" } } },
      { x: 1 },
      {},
    ],
    [
      "in a reference to an $anchor",
      { $ref: "#one", $defs: { one: { ...CLOSED, $anchor: "one" } } },
      { x: 1 },
      {},
    ],
    [
      "in a recursive schema",
      { ...fields({ next: { $ref: "#" } }), additionalProperties: false },
      { next: { next: { x: 1 }, x: 1 } },
      { next: { next: {} } },
    ],
    [
      "if a condition holds",
      { if: { required: ["a"] }, then: CLOSED, else: NAMED },
      { a: 1, x: 1 },
      { a: 1 },
    ],
    [
      "if a condition does not hold",
      { if: { required: ["a"] }, then: CLOSED, else: NAMED },
      { b: "b", x: 1 },
      { b: "b" },
    ],
    ["if there is another field", { dependentSchemas: { a: CLOSED } }, { a: 1, x: 1 }, { a: 1 }],
    ["in an older dependency", { dependencies: { a: CLOSED } }, { a: 1, x: 1 }, { a: 1 }],
    ["by the names that are allowed", { propertyNames: { enum: ["a"] } }, { a: 1, x: 1 }, { a: 1 }],
    ["because its schema is false", fields({ x: false }), { a: 1, x: 1 }, { a: 1 }],
    [
      "because its schema matches nothing",
      fields({ x: { not: {} }, y: { enum: [] } }),
      { a: 1, x: 1, y: 1 },
      { a: 1 },
    ],
    ["beside a null", { ...CLOSED, type: ["object", "null"] }, { a: 1, x: 1 }, { a: 1 }],
    ["beside a nullable", { ...CLOSED, nullable: true }, { a: 1, x: 1 }, { a: 1 }],
  ];
  for (const [where, schema, value, left] of cases) {
    it(`is not sent ${where}`, () => {
      assert.deepEqual(JSON.parse(written(schema, value)), left);
    });
  }

  it("is not sent if its name is one that all objects have", () => {
    const value = JSON.parse('{"a":1,"__proto__":{"x":1},"constructor":1,"toString":1}') as object;
    for (const schema of [CLOSED, { allOf: [CLOSED] }]) {
      assert.equal(written(schema, value), '{"a":1}');
      const needing = { ...schema, required: ["toString"] };
      assert.throws(() => written(needing, {}), { code: "SIM_ERR_PAYLOAD" });
    }
    const declared = JSON.parse(
      '{"additionalProperties":false,"properties":{"__proto__":{"additionalProperties":false}}}',
    ) as object;
    assert.equal(written(declared, value), '{"__proto__":{}}');
    assert.equal(written({ ...declared, type: "object" }, value), '{"__proto__":{}}');
  });

  it("is never read", () => {
    const value = {
      a: 1,
      get x(): number {
        throw new Error("must not be read");
      },
    };
    assert.equal(written(CLOSED, value), '{"a":1}');
  });
});

describe("a payload with a JSON Schema", () => {
  it("that matches is sent unchanged, even if one choice would forbid fields", () => {
    for (const [schema, value] of [
      [{ anyOf: [CLOSED, NAMED] }, { a: 1, b: "b" }],
      [{ oneOf: [CLOSED, NAMED] }, { a: 1, b: "b" }],
      [{ anyOf: [CLOSED, {}] }, { x: 1 }],
      [
        { if: CLOSED, then: { maxProperties: 1 }, else: { required: ["x"] } },
        { a: 1, x: 1 },
      ],
      [{ not: CLOSED }, { x: 1 }],
    ] as const) {
      assert.deepEqual(JSON.parse(written(schema, value)), value);
    }
  });

  it("that does not match is refused, with the place and the reason", () => {
    const user = fields({ user: NAMED }, { additionalProperties: false });
    for (const [schema, value, why] of [
      [user, { user: { b: 1 } }, "/user/b must be of type string, got number"],
      [user, { user: {} }, "/user must have the field b"],
      [{ items: CLOSED }, [{}, { a: 1.5 }], "/1/a must be of type integer, got number"],
      [{ anyOf: [NAMED] }, {}, "it must match one of the schemas in anyOf"],
      [{ oneOf: [CLOSED, CLOSED] }, {}, "it must match exactly one of the schemas in oneOf"],
      [{ prefixItems: [true], items: false }, [1, 2], "/1 must not be present"],
      [{ not: fields({}, { required: ["x"] }) }, { x: 1 }, "it must not match the schema in not"],
      [
        { allOf: [CLOSED], unevaluatedProperties: false },
        { a: "one" },
        "/a must be of type integer, got string",
      ],
      [
        { contains: { const: 1 }, not: { type: "null" } },
        [],
        "it must contain the right number of certain items",
      ],
      [{ const: { a: 1 } }, { a: 1, x: 1 }, "it must be a value that is allowed, got object"],
      [{ ...CLOSED, minProperties: 1 }, { x: 1 }, "it must have at least 1 fields, got object"],
      [{ allOf: [CLOSED, { required: ["x"] }] }, { a: 1, x: 1 }, "it must have the field x"],
      [fields({ "a/b~": CLOSED }), { "a/b~": 1 }, "/a~1b~0 must be of type object, got number"],
    ] as const) {
      assert.throws(() => written(schema, value), {
        code: "SIM_ERR_PAYLOAD",
        message: `it must match its schema: ${why}`,
      });
    }
  });

  it("is judged as the JSON that it becomes", () => {
    const row = fields(
      { at: { type: "string" }, n: { type: ["number", "null"] }, list: { type: "array" } },
      { additionalProperties: false },
    );
    class Row {
      readonly at = new Date(0);
      readonly n = Number.NaN;
      readonly list = [undefined, , new Map([[1, 2]])]; // oxlint-disable-line no-sparse-arrays
      readonly undefined = undefined;
      readonly #secret = "secret";
      get secret(): string {
        return this.#secret;
      }
    }
    const text = '{"at":"1970-01-01T00:00:00.000Z","n":null,"list":[null,null,{}]}';
    for (const schema of [row, { allOf: [row] }]) {
      assert.equal(written(schema, new Row()), text);
      assert.equal(written(schema, { toJSON: () => ({ at: "\ud800", x: 1 }) }), '{"at":"\\ud800"}');
      assert.equal(written(schema, { n: Object(1), at: undefined }), '{"n":1}');
      assert.equal(written(schema, Object.create({ at: "inherited" })), "{}");
      for (const value of [{ n: 1n }, Object(1), new Date(0), () => 1]) {
        assert.throws(() => written(schema, value), { code: "SIM_ERR_PAYLOAD" });
      }
      assert.throws(() => written(schema, { n: "one" }), { code: "SIM_ERR_PAYLOAD" });
    }
  });

  it("is refused if it refers to itself, is nested too deep or throws", () => {
    const tree = fields({ next: { $ref: "#" } }, { additionalProperties: false });
    const cycle: { next?: object } = {};
    cycle.next = cycle;
    let deep = {};
    for (let at = 0; at < 100_000; at += 1) deep = { next: deep };
    const throwing = {
      get next(): object {
        // oxlint-disable-next-line no-throw-literal
        throw null;
      },
    };
    for (const value of [cycle, deep, throwing]) {
      for (const schema of [tree, { allOf: [tree] }]) {
        assert.throws(() => written(schema, value), { code: "SIM_ERR_PAYLOAD" });
      }
    }
  });

  it("takes time in proportion to its depth, even if every level is a choice", () => {
    const level = { properties: { next: { $ref: "#/$defs/level" } }, additionalProperties: false };
    const choices = ["a", "b", "c"].map((name) => ({
      ...level,
      properties: { ...level.properties, [name]: {} },
    }));
    const schema = { $ref: "#/$defs/level", $defs: { level: { anyOf: choices } } };
    let deep: object = { x: 1 };
    for (let at = 0; at < 60; at += 1) deep = { next: deep, x: 1 };
    assert.doesNotMatch(written(schema, deep), /"x"/);
  });
});

describe("a JSON Schema of a library", () => {
  it("by zod forbids what its objects forbid, although it is a Standard Schema as well", () => {
    const won = z.toJSONSchema(z.object({ winner: z.tuple([z.object({ name: z.string() })]) }));
    const channel = defineChannel(ANYONE, { out: { won }, join: () => ok() });
    const payload = { winner: [{ name: "ann", mail: "ann@example.com" }] };
    const sent = channel.writers?.written("won", payload);
    assert.ok(sent instanceof JsonText);
    assert.equal(sent.text, '{"winner":[{"name":"ann"}]}');
  });

  it("by TypeBox may be recursive, and repeat a recursive schema", () => {
    const node = Type.Recursive((self) =>
      Type.Object({ kids: Type.Array(self) }, { additionalProperties: false }),
    );
    const both = Type.Object({ left: node, right: node }, { additionalProperties: false });
    const value = { left: { kids: [{ kids: [], x: 1 }] }, right: { kids: [], x: 1 } };
    assert.equal(written(both, value), '{"left":{"kids":[{"kids":[]}]},"right":{"kids":[]}}');
  });
});

describe("a JSON Schema that is not supported", () => {
  const circular: { properties?: object } = {};
  circular.properties = { circular };
  const cases: readonly (readonly [schema: object, why: string])[] = [
    [
      { type: "no such" },
      'type must be array, boolean, integer, null, number, object, string or a list of them, got "no such" (#)',
    ],
    [
      Type.Object({ at: Type.Date() }),
      'type must be array, boolean, integer, null, number, object, string or a list of them, got "Date" (#/properties/at)',
    ],
    [{ $ref: "User" }, '$ref must refer to a schema in the same document, got "User" (#)'],
    [
      { items: { $ref: "User" } },
      '$ref must refer to a schema in the same document, got "User" (#/items)',
    ],
    [{ $ref: 1 }, "$ref must be a string, got number (#)"],
    [{ $ref: "#" }, "a schema must not refer to itself for the same value (#)"],
    [
      { properties: { a: { allOf: [{ $ref: "#/properties/a" }] } } },
      "a schema must not refer to itself for the same value (#/properties/a)",
    ],
    [{ $dynamicRef: "#a" }, "it must not use $dynamicRef (#)"],
    [{ items: { $recursiveRef: "#" } }, "it must not use $recursiveRef (#/items)"],
    [
      { $schema: "https://example.com/mine" },
      '$schema must be a draft from 04 to 2020-12, got "https://example.com/mine" (#)',
    ],
    [
      {
        $schema: "http://json-schema.org/draft-07/schema#",
        items: { $ref: "#", additionalProperties: false },
      },
      "its draft ignores keywords beside $ref, got additionalProperties (#/items)",
    ],
    [
      { properties: { a: { $id: "same", type: "string" }, b: { $id: "same" } } },
      "an $id must belong to one schema, got two for same (#/properties/b)",
    ],
    [{ minimum: "1" }, "minimum must be a number, got string (#)"],
    [{ exclusiveMinimum: true }, "exclusiveMinimum must be a number, got boolean (#)"],
    [{ maxItems: -1 }, "maxItems must be a count, got -1 (#)"],
    [{ multipleOf: 0 }, "multipleOf must be a positive number, got 0 (#)"],
    [{ pattern: "(" }, 'a pattern must be a regular expression, got "(" (#)'],
    [{ required: "a" }, "required must be a list, got string (#)"],
    [{ required: [1] }, "required must be a list of strings (#)"],
    [{ anyOf: {} }, "anyOf must be a list, got object (#)"],
    [{ properties: [] }, "properties must be an object, got array (#)"],
    [{ items: 1 }, "a schema must be an object or a boolean, got number (#/items)"],
    [{ contains: [] }, "a schema must be an object or a boolean, got array (#/contains)"],
    [
      { dependencies: { a: ["b"], c: "d" } },
      "a schema must be an object or a boolean, got string (#/dependencies/c)",
    ],
    [
      { prefixItems: [], items: [] },
      "items must be a schema if there are prefixItems, got a list (#)",
    ],
    [{ nullable: true }, "nullable must have a type beside it (#)"],
  ];
  for (const [schema, why] of cases) {
    it(`is refused at the definition: ${why}`, () => {
      // Forbids something, so that it is compiled.
      const closed = { ...schema, not: { type: "null" } };
      assert.throws(() => payloadWriter("out.user", closed), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message: `out.user must be a JSON Schema that is supported: ${why}`,
      });
    });
  }

  it("is refused even if it seems to forbid nothing, when a reference is unknown", () => {
    for (const schema of [{ $ref: "User" }, { $dynamicRef: "#a" }]) {
      assert.throws(() => payloadWriter("out.user", schema), {
        code: "SIM_ERR_DEFINITION_INVALID",
      });
    }
  });

  it("is refused if it is not JSON", () => {
    for (const schema of [circular, []]) {
      assert.throws(() => payloadWriter("out.user", schema), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message: /^out\.user must be a JSON Schema/,
      });
    }
  });
});

describe("a JSON Schema that forbids nothing", () => {
  it("has no writer, so that JSON.stringify writes what is there", () => {
    for (const schema of [
      z.toJSONSchema(z.looseObject({ a: z.number() })),
      z.toJSONSchema(z.record(z.string(), z.unknown())),
      Type.Object({ at: Type.Date() }),
      { type: "object", additionalProperties: true },
      { $ref: "#/$defs/open", $defs: { open: {}, closed: CLOSED } },
      { const: 1 },
    ]) {
      assert.equal(payloadWriter("it", schema), undefined);
    }
  });

  it("does not include one that forbids some values of a field", () => {
    for (const schema of [
      { additionalProperties: { type: "number" } },
      { properties: { a: false } },
      { items: { prefixItems: [true], items: false } },
      { propertyNames: { pattern: "^a" } },
      { enum: [{ a: 1 }] },
      { dependentRequired: { a: ["b"] } },
      { maxProperties: 1 },
      { anyOf: [{ type: "null" }, { not: {} }] },
      { $ref: "#/$defs/closed", $defs: { closed: CLOSED } },
    ]) {
      assert.ok(payloadWriter("it", schema), JSON.stringify(schema));
    }
  });
});
