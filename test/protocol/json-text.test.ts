import { kindOf } from "../../src/errors.ts";
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { jsonOf, objectJson } from "../../src/protocol/json-text.ts";

describe("JSON for frames", () => {
  it("is written by JSON.stringify, and {} for undefined", () => {
    assert.equal(jsonOf(undefined), "{}");
    assert.equal(jsonOf(null), "null");
    assert.equal(jsonOf({ a: [1, "é"] }), '{"a":[1,"é"]}');
  });

  it("is refused if the value cannot be written, with the error as cause", () => {
    assert.throws(
      () => jsonOf({ n: 1n }),
      (error: unknown) => {
        assert.ok(error instanceof TypeError && "code" in error);
        assert.equal(error.code, "SIM_ERR_PAYLOAD");
        assert.ok(error.cause instanceof TypeError);
        return true;
      },
    );
    assert.throws(() => jsonOf(() => {}), {
      message: "payload must be a JSON value, got function",
    });
  });

  it("is refused if it has nothing of the value's content", () => {
    const refused: readonly (readonly [unknown, string])[] = [
      [Promise.resolve({ n: 1 }), "Promise: await it"],
      [new Map([[1, 2]]), "Map: use Object.fromEntries"],
      [new Set([1]), "Set: use an array"],
      [new Error("no"), "Error: send its message"],
      [new WeakMap(), "WeakMap"],
      [/a/, "RegExp"],
      [[1].values(), "Array Iterator"],
      [new URLSearchParams("a=b"), "URLSearchParams"],
      [new SharedArrayBuffer(4), "SharedArrayBuffer"],
      [new DataView(new ArrayBuffer(4)), "DataView: use a Uint8Array"],
      [new Float64Array(2), "Float64Array: use a Uint8Array"],
      [new Int8Array(0), "Int8Array: use a Uint8Array"],
    ];
    for (const [value, kind] of refused) {
      const message = `payload must be a value that JSON can represent, got a ${kind}`;
      assert.throws(() => jsonOf(value), { code: "SIM_ERR_PAYLOAD", message });
      assert.throws(() => objectJson(value), { code: "SIM_ERR_PAYLOAD", message });
    }
  });

  it("may be an empty object of any class, or one that its toJSON returns", () => {
    class Nothing {
      readonly hidden?: string;
    }
    class Entries extends Map<string, number> {
      toJSON(): object {
        return Object.fromEntries(this);
      }
    }
    const empty = Object.create(null) as object;
    for (const value of [{}, empty, new Nothing(), { a: undefined }, new Entries()]) {
      assert.equal(objectJson(value), "{}");
    }
    assert.equal(objectJson({ 0: "a" }), '{"0":"a"}');
    assert.equal(jsonOf(new Entries([["a", 1]])), '{"a":1}');
    assert.equal(jsonOf([]), "[]");
  });

  it("of an object is refused for anything else, or if it is not written as an object", () => {
    assert.equal(objectJson({}), "{}");
    assert.throws(() => objectJson([]), { message: "payload must be an object, got array" });
    assert.throws(() => objectJson(undefined), {
      message: "payload must be an object, got undefined",
    });
    assert.throws(() => objectJson(new Date(0)), {
      message: "payload must be an object, got an object whose JSON type is string",
    });
    assert.throws(() => objectJson({ toJSON: () => null }), { code: "SIM_ERR_PAYLOAD" });
  });

  it("reports the kind of a value", () => {
    const kinds = [null, [], {}, "", 0, undefined].map(kindOf);
    assert.deepEqual(kinds, ["null", "array", "object", "string", "number", "undefined"]);
  });
});
