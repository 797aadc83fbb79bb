/**
 * Keys and metas, how metas are stored, and their refs.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { checkKey, checkSize, metaOf, PhxRefs } from "../../src/presence/meta.ts";

const CODE = { code: "SIM_ERR_PRESENCE" };

describe("A meta", () => {
  it("is a frozen copy through JSON, with its refs", () => {
    const given = { at: new Date(0), tags: ["a"], none: undefined, deep: { n: 1 } };
    const meta = metaOf(given, "new", "old");
    assert.deepEqual(
      { ...meta },
      {
        at: "1970-01-01T00:00:00.000Z",
        tags: ["a"],
        deep: { n: 1 },
        phx_ref: "new",
        phx_ref_prev: "old",
      },
    );
    for (const part of [meta, meta["tags"], meta["deep"]]) assert.ok(Object.isFrozen(part));
    given.tags.push("b");
    assert.deepEqual(meta["tags"], ["a"]);
  });

  it("has only refs that the server makes", () => {
    assert.deepEqual(
      { ...metaOf({ phx_ref: "mine", phx_ref_prev: "mine" }, "r") },
      { phx_ref: "r" },
    );
  });

  it("that is empty has only its refs", () => {
    assert.deepEqual({ ...metaOf({}, "r") }, { phx_ref: "r" });
    assert.deepEqual({ ...metaOf({}, "r", "p") }, { phx_ref: "r", phx_ref_prev: "p" });
  });

  it("may have any property names, and none of them does harm", () => {
    const meta = metaOf(JSON.parse('{"__proto__": {"isAdmin": true}, "constructor": 1}'), "r");
    assert.equal((meta as { isAdmin?: boolean }).isAdmin, undefined);
    assert.equal(
      JSON.stringify(meta),
      '{"__proto__":{"isAdmin":true},"constructor":1,"phx_ref":"r"}',
    );
  });

  it("must be an object that JSON can represent", () => {
    for (const given of [undefined, null, "x", 1, [], () => {}]) {
      assert.throws(() => metaOf(given, "r"), {
        ...CODE,
        message: /^meta must be an object, got /,
      });
    }
    assert.throws(() => metaOf(new Date(0), "r"), { ...CODE, message: /in JSON too, got string/ });
    const nothing = { toJSON: () => undefined };
    assert.throws(() => metaOf(nothing, "r"), { ...CODE, message: /in JSON too, got nothing/ });
    assert.throws(() => metaOf({ n: 1n }, "r"), { ...CODE, message: /JSON can represent/ });
    const circle: Record<string, unknown> = {};
    circle["itself"] = circle;
    assert.throws(() => metaOf(circle, "r"), CODE);
  });

  it("must not exceed the size limit, together with its topic and key", () => {
    const meta = metaOf({ text: "é".repeat(20) }, "r");
    const bytes = Buffer.byteLength(JSON.stringify([0, "room", "ann", meta]));
    checkSize("room", "ann", meta, bytes);
    assert.throws(() => checkSize("room", "ann", meta, bytes - 1), {
      ...CODE,
      message: `topic, key and meta as JSON must have at most ${bytes - 1} (bytes) together, got ${bytes}`,
    });
  });
});

describe("A key", () => {
  it("must be a string", () => {
    checkKey("", false);
    for (const key of [1, undefined, null, Symbol("x")]) {
      assert.throws(() => checkKey(key, true), { ...CODE, message: /^key must be a string, got / });
    }
  });

  it("must not be a name on which old clients throw, unless that is allowed", () => {
    for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      assert.throws(() => checkKey(key, false), { ...CODE, message: /CVE|1\.8\.9/ });
      checkKey(key, true);
    }
    checkKey("prototype", false);
  });
});

describe("A phx_ref", () => {
  it("has 16 characters that are safe in URLs, and is unique", () => {
    const refs = [0, 1, 2 ** 48 - 1].flatMap((incarnation) => {
      const made = new PhxRefs(incarnation);
      return Array.from({ length: 300 }, () => made.next());
    });
    for (const ref of refs) assert.match(ref, /^[\w-]{16}$/);
    assert.equal(new Set(refs).size, refs.length);
    assert.equal(refs[0], "AAAAAAAAAAAAAAAA");
    assert.equal(refs[301], "AAAAAAABAAAAAAAB");
    assert.equal(refs[600], "________AAAAAAAA");
  });
});
