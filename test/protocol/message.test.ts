import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { isSameRef } from "../../src/protocol/message.ts";
import { refJson } from "../../src/protocol/serializer.ts";

/** Returns the JSON of a value, with the keys of its objects in order. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function same(a: string, b: string): boolean {
  return isSameRef(JSON.parse(a), JSON.parse(b));
}

describe("refs", () => {
  it("are the same if they are the same JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const [aJson, bJson] = [JSON.stringify(a), JSON.stringify(b)];
        assert.equal(isSameRef(JSON.parse(aJson), JSON.parse(bJson)), sorted(a) === sorted(b));
        assert.ok(isSameRef(JSON.parse(aJson), JSON.parse(aJson)));
      }),
    );
  });

  it("are the same whatever the order of their objects' keys", () => {
    assert.ok(same('{"a":1,"b":2}', '{"b":2,"a":1}'));
    assert.ok(same('[{"a":[{"b":1,"c":2}]}]', '[{"a":[{"c":2,"b":1}]}]'));
    assert.ok(same('{"a":1,"a":2}', '{"a":2}'));
    assert.equal(same('{"a":1,"b":2}', '{"a":2,"b":1}'), false);
    assert.equal(same('{"a":1}', '{"a":1,"b":2}'), false);
    assert.equal(same("[1,2]", "[2,1]"), false);
    assert.equal(same("[1]", '{"0":1}'), false);
    assert.equal(same('{"toString":null}', '{"valueOf":null}'), false);
    assert.equal(same('{"__proto__":{}}', '{"a":{}}'), false);
  });

  it("differ by their kind", () => {
    assert.equal(isSameRef("1", 1), false);
    assert.equal(isSameRef(null, "null"), false);
    assert.equal(isSameRef(null, {}), false);
    assert.equal(isSameRef(0, false), false);
    assert.equal(isSameRef("", null), false);
  });

  it("are written as the JSON that they came in", () => {
    for (const json of ['"1"', '"12345678901"', '"a\\"b"', '""', '"é"', "1", "null", "true"]) {
      assert.equal(refJson(JSON.parse(json)), json);
    }
    assert.equal(refJson(undefined), "null");
    fc.assert(
      fc.property(fc.jsonValue(), (ref) => {
        assert.equal(refJson(ref), JSON.stringify(ref));
      }),
    );
  });
});
