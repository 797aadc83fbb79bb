import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { checkFilter, LogFilter } from "../../src/log/filter.ts";
import type { FilterParameters } from "../../src/log/filter.ts";

const FILTERED = "[FILTERED]";

function filtered(params: unknown, chosen?: FilterParameters): unknown {
  return new LogFilter(chosen).apply(params);
}

describe("the filter of logged parameters", () => {
  it("discards what a key says is a password or a token, out of the box", () => {
    const params = { user: "ann", password: "x", old_password: "x", _csrf_token: "x", tokens: [1] };
    assert.deepEqual(filtered(params), {
      user: "ann",
      password: FILTERED,
      old_password: FILTERED,
      _csrf_token: FILTERED,
      tokens: FILTERED,
    });
  });

  it("discards in objects and lists at any place, and minds the case", () => {
    const params = { list: [{ token: 1 }, [{ token: { deep: 1 } }]], Token: 1, pass: "word" };
    const shown = { list: [{ token: FILTERED }, [{ token: FILTERED }]], Token: 1, pass: "word" };
    assert.deepEqual(filtered(params), shown);
  });

  it("discards texts that assign one of them, as values of keys only", () => {
    const params = { url: "/a?b=1&token=x", list: ["token=x"], other: "token of thanks" };
    const shown = { url: FILTERED, list: ["token=x"], other: "token of thanks" };
    assert.deepEqual(filtered(params), shown);
    assert.equal(filtered("token=x"), "token=x");
  });

  it("discards by terms of the user's own, by a list or by discard", () => {
    for (const chosen of [["ssn", "pin"], { discard: ["ssn", "pin"] }]) {
      const shown = { ssn: FILTERED, pinned: FILTERED, password: "x" };
      assert.deepEqual(filtered({ ssn: 1, pinned: 2, password: "x" }, chosen), shown);
    }
    assert.deepEqual(filtered({ password: "x" }, []), { password: "x" });
  });

  it("keeps exactly the keys of keep, with all that is in them, and nothing else", () => {
    const params = { id: 1, ids: 2, deep: { id: { a: ["b", { token: 1 }] }, x: [1, { id: 3 }] } };
    assert.deepEqual(filtered(params, { keep: ["id"] }), {
      id: 1,
      ids: FILTERED,
      deep: { id: { a: ["b", { token: 1 }] }, x: [FILTERED, { id: 3 }] },
    });
    assert.equal(filtered("x", { keep: ["id"] }), FILTERED);
    assert.deepEqual(filtered([], { keep: ["id"] }), []);
  });

  it("leaves scalars as they are, and of bytes their number", () => {
    for (const value of [1, true, null, "x"]) assert.equal(filtered(value), value);
    assert.equal(filtered(new Uint8Array(5)), "[5 bytes]");
    assert.deepEqual(filtered({ a: new ArrayBuffer(3) }), { a: "[3 bytes]" });
    assert.deepEqual(filtered({ a: new Uint8Array(3) }, { keep: ["b"] }), { a: FILTERED });
  });

  it("is no larger than what fits a line, whatever the client sends", () => {
    const long = filtered({ ["k".repeat(5_000)]: "v".repeat(5_000) });
    const rest = "... (3976 more characters)";
    assert.deepEqual(long, { ["k".repeat(1_024) + rest]: "v".repeat(1_024) + rest });
    const list = filtered(Array.from({ length: 60 }, (_, n) => n)) as unknown[];
    assert.deepEqual([list.length, list.at(-1)], [51, "... 10 more"]);
    const entries = Array.from({ length: 60 }, (_, n) => [`k${n}`, n] as const);
    const map = filtered(Object.fromEntries(entries)) as Record<string, unknown>;
    assert.deepEqual([Object.keys(map).length, map["..."]], [51, "10 more"]);
    let deep: unknown = 1;
    for (let level = 0; level < 50_000; level += 1) deep = [deep];
    assert.equal(JSON.stringify(filtered(deep)), '[[[[[[[["[NESTED]"]]]]]]]]');
  });

  it("is cut in all, however the characters are spread", () => {
    const texts = Array.from({ length: 40 }, () => "x".repeat(1_000));
    const wide = Array.from({ length: 40 }, () => texts);
    for (const given of [texts, wide, { deep: { wide } }]) {
      const text = JSON.stringify(filtered(given));
      assert.ok(text.length < 12_000, `${text.length} characters`);
      assert.ok(text.includes("[CUT]"));
    }
  });

  it("shows what cannot be read, or is no JSON, in some form", () => {
    const trap = new Proxy({}, { ownKeys: () => assert.fail("asked") });
    assert.equal(filtered(trap), "[UNREADABLE]");
    assert.deepEqual(filtered({ n: 1n, s: Symbol("s"), f: () => 1 }), {
      n: "1",
      s: "Symbol(s)",
      f: "[function]",
    });
  });

  it("takes a key called __proto__ for a key, and changes nothing of what it is given", () => {
    const params: unknown = JSON.parse('{"__proto__":{"token":"x"},"a":[1]}');
    const shown = filtered(params);
    assert.equal(JSON.stringify(shown), '{"__proto__":{"token":"[FILTERED]"},"a":[1]}');
    assert.equal(JSON.stringify(params), '{"__proto__":{"token":"x"},"a":[1]}');
  });

  it("is a list of texts, discard or keep", () => {
    checkFilter(undefined);
    for (const right of [[], ["a"], { keep: [] }, { discard: ["a"] }]) checkFilter(right);
    for (const wrong of [
      null,
      "token",
      7,
      [""],
      [1],
      {},
      { keep: "id" },
      { keep: [], discard: [] },
    ]) {
      assert.throws(() => checkFilter(wrong), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message:
          /^filterParameters must be a list of strings, \{ discard: strings \} or \{ keep: strings \}/,
      });
    }
  });
});
