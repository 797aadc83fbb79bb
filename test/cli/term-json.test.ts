import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { jsonOfTerm, termOfJson } from "../../src/cli/term-json.ts";
import { decodeTerm } from "../../src/token/term-decoder.ts";
import { Atom, Bitstring, ImproperList, Tuple, type Term } from "../../src/token/terms.ts";
import { TERMS, termBytes, u32 } from "../support/terms.ts";

const FORMS: readonly (readonly [string, Term])[] = [
  ['{"a":[1,null,true,"x"]}', { a: [1, null, true, "x"] }],
  ['{"$atom":"user"}', Atom.of("user")],
  ['{"$tuple":[{"$atom":"user"},5]}', new Tuple([Atom.of("user"), 5])],
  ['{"$bytes":"/wA="}', Uint8Array.of(255, 0)],
  ['{"$bigint":"-36893488147419103232"}', -(2n ** 65n)],
  ['{"$map":[[{"$atom":"id"},7]]}', new Map<Term, Term>([[Atom.of("id"), 7]])],
  ['{"$list":[[1],2]}', new ImproperList([1], 2)],
  ['{"$bitstring":["gA==",1]}', new Bitstring(Uint8Array.of(128), 1)],
  ['{"$atom":"a","b":1}', { $atom: "a", b: 1 }],
  ['{"toString":1}', { toString: 1 }],
];

describe("terms in JSON", () => {
  for (const [json, term] of FORMS) {
    it(`are written and read: ${json}`, () => {
      assert.equal(JSON.stringify(jsonOfTerm(term)), json);
      assert.deepEqual(termOfJson(JSON.parse(json)), term);
    });
  }

  it("are never mistaken for a form that they only resemble", () => {
    assert.deepEqual(jsonOfTerm({ $atom: "user" }), { $map: [["$atom", "user"]] });
    const read = termOfJson({ $map: [["$atom", "user"]] });
    assert.deepEqual(read, new Map([["$atom", "user"]]));
  });

  it("show pids and references, but cannot read them", () => {
    const node = termBytes(119, 1, "n").subarray(1);
    const pid = decodeTerm(termBytes(88, node, u32(1), u32(2), u32(3)));
    assert.deepEqual(jsonOfTerm(pid), { $pid: "WHcBbgAAAAEAAAACAAAAAw==" });
    assert.throws(() => termOfJson(jsonOfTerm(pid)), { code: "SIM_ERR_OPTION_INVALID" });
  });

  it("make every key an own property, and set no prototype", () => {
    const read = termOfJson(JSON.parse('{"__proto__":{"isAdmin":true},"a":1}'));
    assert.deepEqual(Object.keys(read as object), ["__proto__", "a"]);
    assert.equal((read as Record<string, unknown>)["isAdmin"], undefined);
  });

  it("refuse incomplete forms", () => {
    const wrong = [
      { $atom: 1 },
      { $tuple: "x" },
      { $bytes: "?" },
      { $bytes: 1 },
      { $bigint: "1.5" },
      { $bigint: 1 },
      { $map: [[1]] },
      { $map: { a: 1 } },
      { $list: [1, 2] },
      { $list: [[1]] },
      { $bitstring: "gA==" },
      { $reference: "" },
    ];
    for (const json of wrong) {
      const error = {
        code: "SIM_ERR_OPTION_INVALID",
        message: /^\$\w+ in data must have a form/,
      };
      assert.throws(() => termOfJson([json]), error, JSON.stringify(json));
    }
    const bits = { $bitstring: ["gA==", 8] };
    assert.throws(() => termOfJson(bits), { code: "SIM_ERR_TERM" });
  });

  it("are read back as they were written", () => {
    fc.assert(
      fc.property(TERMS, (term) => {
        const text = JSON.stringify(jsonOfTerm(term));
        assert.equal(JSON.stringify(jsonOfTerm(termOfJson(JSON.parse(text)))), text);
      }),
      { numRuns: 500 },
    );
  });
});
