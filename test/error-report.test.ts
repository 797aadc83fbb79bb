import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { codeOf, hasCode, makeError } from "../src/errors.ts";
import {
  asError,
  errorOf,
  errorText,
  messageOf,
  reportOf,
  shownValue,
} from "../src/error-report.ts";
import { WHATEVER } from "./support/whatever.ts";

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

  it("keeps the errors of an AggregateError, each with its own", () => {
    const refused = [new Error("connect ::1"), new Error("connect 127.0.0.1")];
    const arrived = sent(new AggregateError(refused, "", { cause: new Error("why") }));
    assert.ok(arrived instanceof AggregateError);
    assert.deepEqual([arrived.name, arrived.message], ["AggregateError", ""]);
    assert.deepEqual(arrived.errors.map(String), [
      "Error: connect ::1",
      "Error: connect 127.0.0.1",
    ]);
    assert.equal(String(arrived.cause), "Error: why");
  });

  it("keeps further properties that are text, numbers or booleans", () => {
    const arrived = sent(
      Object.assign(new Error("x"), {
        syscall: "connect",
        port: 4699,
        isTemporary: true,
        deep: {},
      }),
    );
    const { syscall, port, isTemporary, ...rest } = arrived as Error & Record<string, unknown>;
    assert.deepEqual([syscall, port, isTemporary], ["connect", 4699, true]);
    assert.ok(!("deep" in rest));
  });

  it("is bounded, however many errors there are in it", () => {
    const wide = (depth: number): Error =>
      new AggregateError(Array.from({ length: 30 }, () => (depth > 0 ? wide(depth - 1) : "leaf")));
    const text = JSON.stringify(reportOf(wide(2)));
    assert.ok(text.length < 200_000, `${text.length} characters`);
  });

  it("has a stack that shows where, even if its message is huge", () => {
    const { stack = "" } = sent(new Error("h".repeat(5_000_000)));
    assert.ok(stack.length < 40_000, `${stack.length} characters`);
    assert.match(stack, /more characters\)\n {4}at /);
  });

  it("is made of whatever was thrown", () => {
    for (const [thrown, message] of [
      ["text", "text"],
      [undefined, "undefined"],
      [null, "null"],
      [7, "7"],
      [Symbol("s"), "Symbol(s)"],
      [
        { status: 503, message: "the database is away" },
        "{ status: 503, message: 'the database is away' }",
      ],
      [["a", 1n], "[ 'a', 1n ]"],
      [Object.create(null), "[Object: null prototype] {}"],
    ] as const) {
      assert.equal(sent(thrown).message, message);
    }
  });

  for (const [what, thrown] of WHATEVER) {
    it(`is made, and shown, without an exception: ${what}`, () => {
      const arrived = sent(thrown);
      assert.ok(arrived instanceof Error);
      for (const text of [
        arrived.message,
        errorText(thrown),
        messageOf(thrown),
        shownValue(thrown),
      ])
        assert.equal(typeof text, "string");
      assert.ok(asError(thrown) instanceof Error);
      assert.equal(hasCode(thrown, "SIM_ERR_INTERNAL"), false);
      assert.equal(codeOf(thrown), undefined);
    });
  }
});

describe("the message of an error", () => {
  it("that has none is made of the errors in it, or its code, or its name", () => {
    const errors = [new Error("a"), new AggregateError([new Error("b"), new RangeError()])];
    assert.equal(messageOf(new AggregateError(errors)), "a; b; RangeError");
    assert.equal(messageOf(Object.assign(new Error(), { code: "ECONNREFUSED" })), "ECONNREFUSED");
    assert.equal(messageOf(new TypeError()), "TypeError");
    assert.equal(errorText(new AggregateError(errors)), "AggregateError: a; b; RangeError");
    assert.equal(errorText(new TypeError("x")), String(new TypeError("x")));
    assert.equal(errorText("text"), "text");
  });
});
