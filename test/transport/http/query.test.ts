import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { parseQuery } from "../../../src/transport/http/query.ts";

/** Parses a query into plain objects, which are easier to compare. */
function parsed(query: string): unknown {
  const params = parseQuery(query);
  return params === undefined ? undefined : JSON.parse(JSON.stringify(params));
}

describe("a query string", () => {
  const cases: readonly [string, unknown][] = [
    ["", {}],
    ["a=1", { a: "1" }],
    ["a=1&b=2", { a: "1", b: "2" }],
    ["a=1&a=2", { a: "2" }],
    ["a", { a: "" }],
    ["a=", { a: "" }],
    ["=1", { "": "1" }],
    ["&&a=1&", { a: "1" }],
    ["a=1=2", { a: "1=2" }],
    ["a+b=c+d", { "a b": "c d" }],
    ["a%20b=%26%3D", { "a b": "&=" }],
    ["%C3%A9=%F0%9F%99%82", { é: "🙂" }],
    ["a[b]=1", { a: { b: "1" } }],
    ["a[b]=1&a[c]=2", { a: { b: "1", c: "2" } }],
    ["a[b][c]=1", { a: { b: { c: "1" } } }],
    ["a%5Bb%5D=1", { a: { b: "1" } }],
    ["a[]=1&a[]=2", { a: ["1", "2"] }],
    ["a[b][]=1&a[b][]=2", { a: { b: ["1", "2"] } }],
    ["a[0]=x&a[1]=y", { a: { 0: "x", 1: "y" } }],
    ["a=1&a[b]=2", { a: { b: "2" } }],
    ["a[b]=2&a=1", { a: "1" }],
    ["a[]=1&a[b]=2", { a: { b: "2" } }],
    ["a[b]=2&a[]=1", { a: ["1"] }],
    ["[a]=1", { "[a]": "1" }],
    ["a[b=1", { "a[b": "1" }],
    ["a]=1", { "a]": "1" }],
    ["vsn=1.0.0&vsn=2.0.0&user_id=7", { vsn: "2.0.0", user_id: "7" }],
  ];
  for (const [query, params] of cases) {
    it(`${JSON.stringify(query)} is ${JSON.stringify(params)}`, () => {
      assert.deepEqual(parsed(query), params);
    });
  }

  it("with a bad escape is malformed", () => {
    for (const query of ["a=%", "a=%zz", "%=1", "a=%C3", "a=%ff%fe", "ok=1&a=%"]) {
      assert.equal(parseQuery(query), undefined, query);
    }
  });

  it("that nests too deeply, or has too many pairs, is malformed", () => {
    assert.ok(parseQuery(`a${"[b]".repeat(31)}=1`));
    assert.equal(parseQuery(`a${"[b]".repeat(32)}=1`), undefined);
    assert.ok(parseQuery("a=1&".repeat(999)));
    assert.equal(parseQuery("a=1&".repeat(1_000)), undefined);
  });

  it("changes no prototype, whatever its names are", () => {
    const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"];
    for (const name of names) {
      for (const query of [
        `${name}=1`,
        `${name}[hacked]=1`,
        `${name}[prototype][hacked]=1`,
        `a[${name}][hacked]=1`,
        `${name}[]=1`,
      ]) {
        const params = parseQuery(query);
        assert.ok(params);
        assert.equal(Object.getPrototypeOf(params), null);
        assert.ok(Object.hasOwn(params, name) || Object.hasOwn(params, "a"));
        assert.equal("hacked" in {}, false);
        assert.equal("hacked" in Object, false);
      }
    }
  });

  it("round-trips any parameters", () => {
    const params = fc.dictionary(
      fc.string({ unit: "grapheme", minLength: 1 }),
      fc.string({ unit: "grapheme" }),
    );
    fc.assert(
      fc.property(params, (given) => {
        const isPlain = Object.keys(given).every((name) => !name.includes("["));
        fc.pre(isPlain);
        const query = new URLSearchParams(given).toString();
        assert.deepEqual({ ...parseQuery(query) }, { ...given });
      }),
    );
  });

  it("never throws, and returns only strings, lists and objects without a prototype", () => {
    const alphabet = fc.constantFrom(
      "a",
      "[",
      "]",
      "=",
      "&",
      "%",
      "+",
      "é",
      "__proto__",
      "%5B",
      "][",
    );
    const check = (value: unknown): void => {
      if (typeof value === "string") return;
      if (Array.isArray(value)) {
        for (const each of value) check(each);
        return;
      }
      assert.equal(Object.getPrototypeOf(value), null);
      for (const each of Object.values(value as object)) check(each);
    };
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(alphabet).map((parts) => parts.join("")),
        ),
        (query) => {
          const params = parseQuery(query);
          if (params) check(params);
          assert.deepEqual(Object.keys(Object.prototype), []);
        },
      ),
      { numRuns: 500 },
    );
  });
});
