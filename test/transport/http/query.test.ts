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
    ["a[]", { a: [""] }],
    ["a[][b]=1", { a: [{ b: "1" }] }],
    ["a[][]=1", { a: [["1"]] }],
    ["a[][][]=1", { a: [[["1"]]] }],
    ["a[][]=1&a[][]=2", { a: [["1", "2"]] }],
    ["a[]=1&a[][b]=2", { a: ["1", { b: "2" }] }],
    ["a[][b]=1&a[]=2", { a: [{ b: "1" }, "2"] }],
    ["a[][b]=1&a[][c]=2&a[][b]=3", { a: [{ b: "3", c: "2" }] }],
    ["a[][b][]=1&a[][b][]=2", { a: [{ b: ["1", "2"] }] }],
    ["a[][b][c]=1&a[][b][d]=2", { a: [{ b: { c: "1", d: "2" } }] }],
    ["a[b][][c]=1&a[b][]=2", { a: { b: [{ c: "1" }, "2"] } }],
    // The newest entry of a level decides whether it is a list.
    ["a[]=1&a[b]=2&a[]=3", { a: ["1", "3"] }],
    ["a[b]=1&a[]=2&a[c]=3", { a: { b: "1", c: "3" } }],
    ["a[b]=1&a[b][c]=2", { a: { b: { c: "2" } } }],
    ["a[b][c]=1&a[b]=2", { a: { b: "2" } }],
    // A level has its place in the level around it where it began.
    ["a[b]=1&a=2&a[c]=3", { a: "2" }],
    ["a[b][x]=1&a[]=2&a[b][y]=3", { a: ["2"] }],
    ["a[]]=1", { a: { "]": "1" } }],
    ["a[b]c[d]=1", { a: { "b]c[d": "1" } }],
    ["[]=1", { "[]": "1" }],
    ["=1&[]=2&=3", { "": "3", "[]": "2" }],
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

  it("keeps a percent sign that starts no escape", () => {
    for (const [query, params] of [
      ["name=100%", { name: "100%" }],
      ["a=%zz&b=%2", { a: "%zz", b: "%2" }],
      ["%=1&%%=2", { "%": "1", "%%": "2" }],
      ["a=%%41%4", { a: "%A%4" }],
      ["a=50%+off%21", { a: "50% off!" }],
      ["a=%g1%C3%A9", { a: "%g1é" }],
    ] as const) {
      assert.deepEqual(parsed(query), params, query);
    }
  });

  it("whose escapes are not UTF-8 is malformed", () => {
    for (const query of ["a=%C3", "a=%ff", "%ff%fe=1", "a=%ED%A0%80", "ok=1&a=%zz%C3"]) {
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
