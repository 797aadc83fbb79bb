import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { makeError } from "../src/errors.ts";
import { errorOf, reportOf } from "../src/error-report.ts";

/** Sends an error as to another thread: by a structured clone of its report. */
function sent(error: unknown): Error {
  return errorOf(structuredClone(reportOf(error)));
}

describe("an error on its way to another thread", () => {
  it("keeps name, message, stack and code", () => {
    const error = makeError("SIM_ERR_APP_MODULE", "no such file");
    const arrived = sent(error);
    assert.ok(arrived instanceof Error);
    const { name, message, stack } = arrived;
    assert.deepEqual([name, message, stack], [error.name, error.message, error.stack]);
    assert.equal((arrived as { code?: unknown }).code, "SIM_ERR_APP_MODULE");
    assert.equal(sent(new RangeError("x")).name, "RangeError");
  });

  it("has no code where it had none, or one that is no string", () => {
    assert.ok(!("code" in sent(new Error("x"))));
    assert.ok(!("code" in sent(Object.assign(new Error("x"), { code: 7 }))));
  });

  it("keeps its causes, up to a depth", () => {
    let error = new Error("0");
    for (let n = 1; n < 10; n += 1) error = new Error(String(n), { cause: error });
    const messages: string[] = [];
    for (let at: unknown = sent(error); at instanceof Error; at = at.cause)
      messages.push(at.message);
    assert.deepEqual(messages, ["9", "8", "7", "6", "5", "4"]);
    const loop = new Error("loop");
    loop.cause = loop;
    assert.equal(sent(loop).message, "loop");
  });

  it("is made of whatever was thrown", () => {
    for (const [thrown, message] of [
      ["text", "text"],
      [undefined, "undefined"],
      [null, "null"],
      [7, "7"],
    ] as const) {
      assert.equal(sent(thrown).message, message);
    }
  });

  it("is made of what cannot even be shown", () => {
    const nameless: unknown = Object.create(null);
    assert.equal(typeof sent(nameless).message, "string");
    assert.equal(typeof sent({ toString: () => assert.fail("asked") }).message, "string");
    const odd = Object.assign(new Error("x"), { message: { not: "text" }, name: 7 });
    assert.ok(sent(odd) instanceof Error);
    const uncloneable = new Error("x", { cause: () => {} });
    assert.ok(sent(uncloneable).cause instanceof Error);
  });
});
