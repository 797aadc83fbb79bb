import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { isSameRef } from "../../src/protocol/message.ts";
import { refJson } from "../../src/protocol/serializer.ts";

describe("refs", () => {
  it("are the same if they are the same JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const [aJson, bJson] = [JSON.stringify(a), JSON.stringify(b)];
        assert.equal(isSameRef(JSON.parse(aJson), JSON.parse(bJson)), aJson === bJson);
        assert.ok(isSameRef(JSON.parse(aJson), JSON.parse(aJson)));
      }),
    );
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
