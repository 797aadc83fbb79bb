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

  it("of an object is refused for anything else, or if it is not written as an object", () => {
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

  it("reports the kind of a value", () => {
    const kinds = [null, [], {}, "", 0, undefined].map(kindOf);
    assert.deepEqual(kinds, ["null", "array", "object", "string", "number", "undefined"]);
  });
});
