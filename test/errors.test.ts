import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ERRORS, makeError, type ErrorCode } from "../src/errors.ts";

const CODES = Object.keys(ERRORS) as ErrorCode[];

describe("errors", () => {
  for (const code of CODES) {
    it(`${code}: is an error of its class, with the code`, () => {
      const cause = new Error("because");
      const error = makeError(code, "shards must be more", { cause });
      assert.ok(error instanceof ERRORS[code].base);
      assert.equal(error.name, ERRORS[code].base.name);
      assert.equal(error.code, code);
      assert.equal(error.message, "shards must be more");
      assert.equal(error.cause, cause);
    });

    it(`${code}: says when it is thrown and what to do about it`, () => {
      const { when, fix } = ERRORS[code];
      assert.match(code, /^SIM_ERR_[A-Z_]+$/);
      assert.ok(when.endsWith(".") && fix.endsWith("."));
    });
  }

  it("has a stack that begins where the error was made", () => {
    const error = makeError("SIM_ERR_INTERNAL", "tail behind head, tail=8 head=16");
    assert.match(
      error.stack ?? "",
      /^Error: tail behind head, tail=8 head=16\n\s+at .*errors\.test/,
    );
  });

  it("has no cause where none is given", () => {
    assert.ok(!("cause" in makeError("SIM_ERR_INTERNAL", "x")));
  });
});
