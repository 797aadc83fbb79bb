import { kindOf } from "../../src/errors.ts";
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { jsonOf, objectJson } from "../../src/protocol/json-text.ts";

describe("JSON for frames", () => {
  it("is what JSON writes, and {} for nothing at all", () => {
    assert.equal(jsonOf(undefined), "{}");
    assert.equal(jsonOf(null), "null");
    assert.equal(jsonOf({ a: [1, "é"] }), '{"a":[1,"é"]}');
  });

  it("is refused where JSON has no form for it, with what it said as cause", () => {
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

  it("of an object is refused for what is no object, or is not written as one", () => {
    assert.equal(objectJson({}), "{}");
    assert.equal(objectJson(new Map([[1, 2]])), "{}");
    assert.throws(() => objectJson([]), { message: "payload must be an object, got array" });
    assert.throws(() => objectJson(undefined), {
      message: "payload must be an object, got undefined",
    });
    assert.throws(() => objectJson(new Date(0)), {
      message: "payload must be an object, got an object whose JSON type is string",
    });
    assert.throws(() => objectJson({ toJSON: () => null }), { code: "SIM_ERR_PAYLOAD" });
  });

  it("says what a value is", () => {
    const kinds = [null, [], {}, "", 0, undefined].map(kindOf);
    assert.deepEqual(kinds, ["null", "array", "object", "string", "number", "undefined"]);
  });
});
