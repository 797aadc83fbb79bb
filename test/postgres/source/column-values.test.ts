/**
 * The values of columns, from PostgreSQL's JSON and from the text of logical replication.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { assert as checkProperty, jsonValue, property } from "fast-check";

import { parseJson, parserOf, parseRow } from "../../../src/postgres/source/column-values.ts";

const TYPES = {
  elements: new Map([
    [1007, 23],
    [1009, 25],
    [1016, 20],
    [3807, 3802],
    [9001, 9000],
  ]),
  bases: new Map([[9000, 1700]]),
};

function parse(type: number, text: string): unknown {
  return parserOf(type, TYPES)(text);
}

describe("PostgreSQL's JSON", () => {
  it("has strings of any length and with any escapes", () => {
    const text = String.raw`1234567890123456789 "\n\\ `.repeat(500_000);
    assert.deepEqual(parseJson(JSON.stringify({ text })), { text });
  });

  it("keeps numbers that JavaScript can hold", () => {
    const text = '{"a":1,"b":-1.50,"c":0.1,"d":1e+20,"e":0.30000000000000004,"f":999999999999999}';
    assert.deepEqual(parseJson(text), {
      a: 1,
      b: -1.5,
      c: 0.1,
      d: 1e20,
      e: 0.300_000_000_000_000_04,
      f: 999_999_999_999_999,
    });
  });

  it("makes strings of others, with all digits", () => {
    const text = '{"a":9007199254740993,"b":[-12345678901234567.890],"c":9007199254740991}';
    assert.deepEqual(parseJson(text), {
      a: "9007199254740993",
      b: ["-12345678901234567.890"],
      c: 9_007_199_254_740_991,
    });
  });

  it("leaves digits in strings alone", () => {
    const text = JSON.stringify({ 'k"12345678901234567890': 'v\\"12345678901234567890' });
    assert.deepEqual(parseJson(text), JSON.parse(text));
  });

  it("is otherwise that of JSON.parse", () => {
    checkProperty(
      property(jsonValue({ noUnicodeString: false }), (value) => {
        assert.deepEqual(parseJson(JSON.stringify(value)), JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("of no row is undefined", () => {
    assert.equal(parseRow(null), undefined);
  });
});

describe("The text of a column", () => {
  it("becomes what to_json makes of it", () => {
    assert.equal(parse(16, "t"), true);
    assert.equal(parse(16, "f"), false);
    assert.equal(parse(23, "-7"), -7);
    assert.equal(parse(20, "9007199254740993"), "9007199254740993");
    assert.equal(parse(20, "7"), 7);
    assert.equal(parse(1700, "1.50"), 1.5);
    assert.equal(parse(1700, "NaN"), "NaN");
    assert.equal(parse(701, "Infinity"), "Infinity");
    assert.equal(parse(25, "t"), "t");
    assert.deepEqual(parse(114, '{"a":[1]}'), { a: [1] });
    assert.equal(parse(1114, "2026-01-02 03:04:05.6"), "2026-01-02T03:04:05.6");
    assert.equal(parse(1184, "2026-01-02 03:04:05+00"), "2026-01-02T03:04:05+00:00");
    assert.equal(parse(1184, "infinity"), "infinity");
    assert.equal(parse(9000, "2.5"), 2.5);
  });

  it("of an array becomes an array", () => {
    assert.deepEqual(parse(1007, "{}"), []);
    assert.deepEqual(parse(1007, "{1,NULL,3}"), [1, null, 3]);
    assert.deepEqual(parse(1007, "{{1,2},{3,4}}"), [
      [1, 2],
      [3, 4],
    ]);
    assert.deepEqual(parse(1007, "[0:1]={1,2}"), [1, 2]);
    assert.deepEqual(parse(1009, '{a,"b c","d\\"e","f\\\\g","NULL","{x}"}'), [
      "a",
      "b c",
      'd"e',
      "f\\g",
      "NULL",
      "{x}",
    ]);
    assert.deepEqual(parse(3807, '{"{\\"a\\": 1}"}'), [{ a: 1 }]);
    assert.deepEqual(parse(9001, "{1.5,2}"), [1.5, 2]);
    assert.throws(() => parse(1009, '{"a'), /an array must end/);
  });
});
