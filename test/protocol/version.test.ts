import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { jsonV1 } from "../../src/protocol/json-v1.ts";
import { jsonV2 } from "../../src/protocol/json-v2.ts";
import { negotiate } from "../../src/protocol/version.ts";

describe("the version of a client", () => {
  for (const vsn of ["2.0.0", "2.0.7", "2.0.123", "2.0.0+build.5"]) {
    it(`${vsn} is version 2`, () => {
      assert.equal(negotiate(vsn), jsonV2);
    });
  }

  for (const vsn of ["1.0.0", "1.0.3"]) {
    it(`${vsn} is version 1`, () => {
      assert.equal(negotiate(vsn), jsonV1);
    });
  }

  it("is 1.0.0 if the client sends none", () => {
    assert.equal(negotiate(undefined), jsonV1);
  });

  const refused = ["2", "2.0", "2.1.0", "1.1.0", "3.0.0", "abc", "", "2.0.0-rc.1", "2.0.0.0"];
  for (const vsn of [...refused, "02.0.0", "2.0.00", " 2.0.0", "2.0.0\n", "v2.0.0", "20.0.0"]) {
    it(`${JSON.stringify(vsn)} matches none`, () => {
      assert.equal(negotiate(vsn), undefined);
    });
  }

  it("matches none if the parameter is not a string, as with vsn[]=2.0.0", () => {
    for (const vsn of [["2.0.0"], { a: "2.0.0" }, null, 2]) {
      assert.equal(negotiate(vsn), undefined);
    }
  });
});
