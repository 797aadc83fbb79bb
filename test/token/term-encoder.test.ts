import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { decodeTerm } from "../../src/token/term-decoder.ts";
import { encodeTerm } from "../../src/token/term-encoder.ts";
import { MAX_DEPTH, MAX_INTEGER_BYTES, MAX_TERM_BYTES } from "../../src/token/term-format.ts";
import { Atom, Bitstring, ImproperList, Tuple } from "../../src/token/terms.ts";
import { TERMS } from "../support/terms.ts";

function hexOf(value: unknown): string {
  return encodeTerm(value).toString("hex").slice(2);
}

function refuses(value: unknown, message: RegExp): void {
  assert.throws(() => encodeTerm(value), { code: "SIM_ERR_TERM", message });
}

/** Returns a value inside `levels` nested lists. */
function nested(levels: number): unknown {
  let value: unknown = "x";
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

describe("encodeTerm", () => {
  it("writes integers in the shortest form of Erlang", () => {
    assert.equal(hexOf(0), "6100");
    assert.equal(hexOf(255), "61ff");
    assert.equal(hexOf(256), "6200000100");
    assert.equal(hexOf(-1), "62ffffffff");
    assert.equal(hexOf(2 ** 31 - 1), "627fffffff");
    assert.equal(hexOf(-(2 ** 31)), "6280000000");
    assert.equal(hexOf(2 ** 31), "6e040000000080");
    assert.equal(hexOf(-(2 ** 31) - 1), "6e040101000080");
    assert.equal(hexOf(1_700_000_000_000), "6e06000068e5cf8b01");
    assert.equal(hexOf(7n), "6107");
    assert.equal(hexOf(2n ** 2040n - 1n), `6eff00${"ff".repeat(255)}`);
    assert.equal(hexOf(-(2n ** 2040n)), `6f0000010001${"00".repeat(255)}01`);
  });

  it("writes numbers as floats that are not safe integers", () => {
    assert.equal(hexOf(2.5), "464004000000000000");
    assert.equal(hexOf(-0), "468000000000000000");
    assert.equal(hexOf(2 ** 53), "464340000000000000");
  });

  it("writes null and booleans as atoms, and strings as binaries", () => {
    assert.equal(hexOf(null), "6400036e696c");
    assert.equal(hexOf(true), "64000474727565");
    assert.equal(hexOf(false), "64000566616c7365");
    assert.equal(hexOf("é"), "6d00000002c3a9");
    assert.equal(hexOf(""), "6d00000000");
    assert.equal(hexOf(Uint8Array.of(0xff, 0)), "6d00000002ff00");
  });

  it("writes atoms in Latin-1 if possible, otherwise in UTF-8", () => {
    assert.equal(hexOf(Atom.of("é")), "640001e9");
    assert.equal(hexOf(Atom.of("ł")), "7702c582");
    assert.equal(hexOf(Atom.of("ł".repeat(255))), `7601fe${"c582".repeat(255)}`);
    assert.equal(hexOf(Atom.of("nil")), hexOf(null));
  });

  it("writes lists of small integers as strings, like Erlang", () => {
    assert.equal(hexOf([]), "6a");
    assert.equal(hexOf([1, 255]), "6b000201ff");
    assert.equal(hexOf([1n, 2]), "6b00020102");
    assert.equal(hexOf([1, 256]), "6c00000002610162000001006a");
    assert.equal(hexOf([-0]), "6c000000014680000000000000006a");
    assert.equal(hexOf(Array(65_535).fill(7)), `6bffff${"07".repeat(65_535)}`);
    assert.equal(hexOf(Array(65_536).fill(7)), `6c00010000${"6107".repeat(65_536)}6a`);
  });

  it("writes tuples, lists with a tail, and bitstrings", () => {
    assert.equal(hexOf(new Tuple([])), "6800");
    assert.equal(hexOf(new Tuple([1, "a"])), "680261016d0000000161");
    assert.equal(hexOf(new Tuple(Array(256).fill(1))), `6900000100${"6101".repeat(256)}`);
    assert.equal(hexOf(new ImproperList([1], 2)), "6c0000000161016102");
    assert.equal(hexOf(new Bitstring(Uint8Array.of(0xa0), 3)), "4d0000000103a0");
  });

  it("writes objects with their keys sorted by bytes", () => {
    const admin = "6d00000001616101";
    const zed = "6d000000017a6102";
    assert.equal(hexOf({ z: 2, a: 1 }), `7400000002${admin}${zed}`);
    assert.equal(hexOf(new Map(Object.entries({ z: 2, a: 1 }))), `7400000002${admin}${zed}`);
    // In the order of UTF-16 units the second would be first.
    const keys = Object.keys(decodeTerm(encodeTerm({ "\u{1f600}": 1, "\uffee": 2 })) as object);
    assert.deepEqual(keys, ["\uffee", "\u{1f600}"]);
  });

  it("writes Maps with other keys in insertion order", () => {
    const map = new Map<unknown, unknown>([
      [Atom.of("z"), 1],
      [5, 2],
    ]);
    assert.equal(hexOf(map), "74000000026400017a610161056102");
  });

  it("leaves out undefined properties, and accepts objects without a prototype", () => {
    assert.equal(hexOf({ a: undefined }), "7400000000");
    assert.equal(hexOf(Object.assign(Object.create(null), { a: 1 })), hexOf({ a: 1 }));
  });

  it("refuses values that cannot be written", () => {
    refuses(undefined, /^data must be made of null, .*, got undefined$/);
    refuses([undefined], /got undefined$/);
    refuses(Array(2), /got undefined$/);
    refuses(() => 1, /got function$/);
    refuses(Symbol("x"), /got symbol$/);
    refuses(new Date(0), /got an object of class Date$/);
    refuses({ a: new Set() }, /got an object of class Set$/);
    refuses(new Float64Array(1), /got an object of class Float64Array$/);
    refuses(Number.NaN, /^data must have finite numbers only, got NaN$/);
    refuses(Infinity, /got Infinity$/);
    refuses("\ud800", /^data must have well-formed text only, got half a surrogate pair$/);
    refuses({ "a\udc00": 1 }, /well-formed text/);
    refuses(
      new Map<unknown, number>([
        [1, 1],
        [1n, 2],
      ]),
      /each key of a Map once, got one twice$/,
    );
    refuses(
      new Map([
        [[1], 1],
        [[1], 2],
      ]),
      /each key of a Map once/,
    );
  });

  it("refuses values above the limits, but not at them", () => {
    assert.ok(encodeTerm(nested(MAX_DEPTH - 1)).length > MAX_DEPTH);
    refuses(nested(MAX_DEPTH), /^data must be nested at most 128 \(levels\) deep, got more$/);
    const widest = 2n ** BigInt(8 * MAX_INTEGER_BYTES) - 1n;
    assert.equal(decodeTerm(encodeTerm(-widest)), -widest);
    refuses(widest + 1n, /^data must have integers of at most 1024 \(bytes\), got 1025$/);
    const longest = new Uint8Array(MAX_TERM_BYTES - 6).fill(0xff);
    assert.deepEqual(decodeTerm(encodeTerm(longest)), longest);
    refuses(new Uint8Array(MAX_TERM_BYTES - 5), /^data must take at most 1048576 \(bytes\)/);
    refuses("x".repeat(MAX_TERM_BYTES + 1), /at most 1048576/);
    refuses(Array(MAX_TERM_BYTES + 1), /at most 1048576/);
  });

  it("terminates if data contains itself, or the same part again and again", () => {
    const circle: unknown[] = [];
    circle.push(circle);
    refuses(circle, /nested/);
    let wide: unknown = "x";
    for (let level = 0; level < 100; level += 1) wide = [wide, wide];
    refuses(wide, /at most 1048576/);
  });

  it("writes what the decoder reads back unchanged", () => {
    fc.assert(
      fc.property(TERMS, (term) => {
        assert.deepEqual(decodeTerm(encodeTerm(term)), term);
      }),
      { numRuns: 1_000 },
    );
  });
});
