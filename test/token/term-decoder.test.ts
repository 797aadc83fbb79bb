import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateSync } from "node:zlib";

import * as fc from "fast-check";

import { decodeTerm, tryDecodeTerm } from "../../src/token/term-decoder.ts";
import { encodeTerm } from "../../src/token/term-encoder.ts";
import { MAX_DEPTH, MAX_TERM_BYTES } from "../../src/token/term-format.ts";
import { Atom, Bitstring, Identifier, ImproperList, Tuple } from "../../src/token/terms.ts";
import { TERMS, termBytes, u16, u32 } from "../support/terms.ts";

const NIL = 106;
const NODE = termBytes(119, 5, "n@abc").subarray(1);

function decoded(hex: string): unknown {
  return decodeTerm(Buffer.from(`83${hex}`, "hex"));
}

function repeated(bytes: readonly number[], count: number): Buffer {
  return Buffer.concat(Array<Buffer>(count).fill(Buffer.from(bytes)));
}

function compressed(length: number, zlib: Uint8Array): Buffer {
  return termBytes(80, u32(length), zlib);
}

function refuses(bytes: Uint8Array, message: RegExp): void {
  assert.throws(() => decodeTerm(bytes), { code: "SIM_ERR_TERM", message });
}

describe("decodeTerm", () => {
  it("reads integers of every form", () => {
    assert.equal(decoded("61ff"), 255);
    assert.equal(decoded("62ffffffff"), -1);
    assert.equal(decoded("627fffffff"), 2_147_483_647);
    assert.equal(decoded("6e06000068e5cf8b01"), 1_700_000_000_000);
    assert.equal(decoded("6e0101ff"), -255);
    assert.equal(decoded("6e0000"), 0);
    assert.equal(decoded("6e08000000000000002000"), 2n ** 53n);
    assert.equal(decoded("6e0700ffffffffffff1f"), Number.MAX_SAFE_INTEGER);
    assert.equal(decoded("6e0701ffffffffffff1f"), Number.MIN_SAFE_INTEGER);
    assert.equal(decoded("6e070100000000000020"), -(2n ** 53n));
    assert.equal(decoded(`6f0000010000${"00".repeat(255)}01`), 2n ** 2040n);
  });

  it("reads floats, and refuses those that Erlang does not have", () => {
    assert.equal(decoded("464004000000000000"), 2.5);
    assert.ok(Object.is(decoded("468000000000000000"), -0));
    refuses(termBytes(70, Buffer.from("7ff0000000000000", "hex")), /finite numbers only/);
    refuses(termBytes(70, Buffer.from("7ff8000000000000", "hex")), /finite numbers only/);
  });

  it("reads atoms of every form; nil, true and false become their values", () => {
    assert.equal(decoded("6400036e696c"), null);
    assert.equal(decoded("77036e696c"), null);
    assert.equal(decoded("730474727565"), true);
    assert.equal(decoded("76000566616c7365"), false);
    for (const hex of ["640001e9", "7301e9", "760002c3a9", "7702c3a9"]) {
      assert.equal(decoded(hex), Atom.of("é"));
    }
    assert.equal(decoded("7700"), Atom.of(""));
  });

  it("refuses atoms that Erlang does not have", () => {
    refuses(termBytes(119, 1, Uint8Array.of(0xff)), /atoms of well-formed text/);
    refuses(termBytes(100, u16(256), "a".repeat(256)), /^atom must be .* at most 255 .*, got 256$/);
    assert.equal(decodeTerm(termBytes(100, u16(255), "a".repeat(255))), Atom.of("a".repeat(255)));
  });

  it("reads binaries as strings if all of them is UTF-8, including a byte order mark", () => {
    assert.equal(decoded("6d00000002c3a9"), "é");
    assert.equal(decoded("6d00000003efbbbf"), "\ufeff");
    assert.equal(decoded("6d00000000"), "");
    assert.deepEqual(decoded("6d00000002ffc3"), Uint8Array.of(0xff, 0xc3));
    // A surrogate in UTF-8, an overlong slash, and a truncated character.
    for (const hex of ["eda080", "c0af", "e282"]) {
      const bytes = Buffer.from(hex, "hex");
      const read = decodeTerm(termBytes(109, u32(bytes.length), bytes));
      assert.deepEqual(read, Uint8Array.from(bytes));
    }
  });

  it("returns a copy of bytes, not a view of the input", () => {
    const bytes = termBytes(109, u32(1), Uint8Array.of(0xff));
    const read = decodeTerm(bytes);
    bytes.fill(0);
    assert.deepEqual(read, Uint8Array.of(0xff));
  });

  it("reads bitstrings, without the bits after their end", () => {
    assert.deepEqual(decoded("4d0000000103bf"), new Bitstring(Uint8Array.of(0xa0), 3));
    assert.equal(decoded("4d000000010861"), "a");
    assert.equal(decoded("4d0000000000"), "");
    refuses(termBytes(77, u32(1), 9, "a"), /1 to 8 bits in a last byte, got 9/);
    refuses(termBytes(77, u32(1), 0, "a"), /1 to 8 bits in a last byte, got 0/);
    refuses(termBytes(77, u32(0), 3), /1 to 8 bits in a last byte, got 3/);
  });

  it("reads lists, of bytes too, and lists with a tail", () => {
    assert.deepEqual(decoded("6a"), []);
    assert.deepEqual(decoded("6b000201ff"), [1, 255]);
    assert.deepEqual(decoded("6c0000000161016a"), [1]);
    assert.deepEqual(decoded("6c0000000161016102"), new ImproperList([1], 2));
    assert.deepEqual(decoded("6c000000006a"), []);
    // Erlang writes none of these.
    for (const hex of [
      "6c0000000161016b000102",
      "6c0000000161016c0000000161026103",
      "6c000000006102",
    ]) {
      refuses(
        Buffer.from(`83${hex}`, "hex"),
        /^improper list must have elements, and a tail that is not a list, got /,
      );
    }
  });

  it("reads tuples of either form, which can be destructured", () => {
    const [user, id] = decoded("6802640004757365726105") as Tuple;
    assert.equal(user, Atom.of("user"));
    assert.equal(id, 5);
    assert.deepEqual(decoded(`6900000100${"6101".repeat(256)}`), new Tuple(Array(256).fill(1)));
  });

  it("reads maps as objects if all keys are strings, otherwise as Maps", () => {
    assert.deepEqual(decoded("7400000000"), {});
    assert.deepEqual(decoded("74000000016d0000000269646107"), { id: 7 });
    const map = decoded("7400000002640002696461076d00000001616101") as Map<unknown, unknown>;
    assert.equal(map.get(Atom.of("id")), 7);
    assert.equal(map.get("a"), 1);
    assert.equal(map.size, 2);
  });

  it("makes every key an own property, and sets no prototype", () => {
    const key = encodeTerm("__proto__").subarray(1);
    const value = encodeTerm({ isAdmin: true }).subarray(1);
    const read = decodeTerm(termBytes(116, u32(1), key, value)) as Record<string, unknown>;
    assert.deepEqual(Object.keys(read), ["__proto__"]);
    assert.equal(Object.getPrototypeOf(read), Object.prototype);
    assert.equal(read["isAdmin"], undefined);
  });

  it("refuses duplicate keys", () => {
    refuses(termBytes(116, u32(2), 97, 1, NIL, 97, 1, NIL), /each key of a map once/);
    // The same integer in two forms.
    refuses(termBytes(116, u32(2), 97, 1, NIL, 98, u32(1), NIL), /each key of a map once/);
  });

  it("keeps pids and references, and writes them unchanged", () => {
    const forms = [
      ["pid", termBytes(103, NODE, u32(1), u32(2), 3)],
      ["pid", termBytes(88, NODE, u32(1), u32(2), u32(3))],
      ["reference", termBytes(101, NODE, u32(1), 3)],
      ["reference", termBytes(114, u16(3), NODE, 3, u32(1), u32(2), u32(3))],
      ["reference", termBytes(90, u16(2), NODE, u32(9), u32(1), u32(2))],
    ] as const;
    for (const [kind, bytes] of forms) {
      const read = decodeTerm(bytes);
      assert.ok(read instanceof Identifier);
      assert.equal(read.kind, kind);
      assert.deepEqual(encodeTerm(read), bytes);
    }
    refuses(termBytes(90, u16(6), NODE, u32(9), Buffer.alloc(24)), /at most 5 \(words\), got 6/);
    refuses(termBytes(88, 109, u32(0), u32(1), u32(2), u32(3)), /tags of data only, got 109/);
  });

  it("refuses functions, ports and unknown tags", () => {
    const module = termBytes(119, 1, "m").subarray(1);
    refuses(termBytes(113, module, module, 97, 0), /tags of data only, got 113/);
    for (const tag of [112, 117, 89, 102, 120, 121, 82, 99, 80, 131, 0, 255]) {
      refuses(termBytes(104, 1, tag, Buffer.alloc(64)), new RegExp(`data only, got ${tag}$`));
    }
  });

  it("refuses extra bytes, a missing start, and a missing end", () => {
    refuses(termBytes(NIL, 0), /^term must end here, got more at 1$/);
    refuses(Buffer.alloc(0), /^term must begin with 131, got undefined$/);
    refuses(Buffer.of(130, NIL), /^term must begin with 131, got 130$/);
    const whole = encodeTerm([1.5, { a: [Atom.of("b"), new Tuple(["c", 2n ** 70n])] }, [1, 2]]);
    for (let length = 0; length < whole.length; length += 1) {
      assert.equal(tryDecodeTerm(whole.subarray(0, length)), undefined, `${length} bytes`);
    }
  });

  it("refuses lengths that exceed the input, before it allocates anything", () => {
    const most = u32(0xffff_ffff);
    const lies = [
      [105, most],
      [108, most],
      [116, most],
      [116, u32(0x8000_0000)],
      [109, most],
      [77, most],
      [107, u16(0xffff)],
    ] as const;
    for (const [tag, length] of lies) {
      const bytes = termBytes(tag, length, Buffer.alloc(64, NIL));
      refuses(bytes, /^term must have what it announces, \d+ \(bytes\), got \d+$/);
    }
    refuses(termBytes(111, most, 0, 1), /^term must have integers of at most 1024 \(bytes\)/);
    // Each pair takes at least two bytes, so 33 pairs do not fit into 65.
    refuses(termBytes(116, u32(33), Buffer.alloc(65, NIL)), /announces, 66 \(bytes\), got 65$/);
  });

  it("refuses integers above the limit, but not at it", () => {
    const digits = Buffer.alloc(1_024, 0xff);
    assert.equal(decodeTerm(termBytes(111, u32(1_024), 0, digits)), 2n ** 8_192n - 1n);
    refuses(termBytes(111, u32(1_025), 0, Buffer.alloc(1_025)), /at most 1024 \(bytes\), got 1025/);
  });

  it("refuses deep nesting of elements, tails, tuples and maps", () => {
    const levels: readonly (readonly number[])[] = [
      [108, 0, 0, 0, 1],
      [104, 1],
      [116, 0, 0, 0, 1, NIL],
    ];
    for (const level of levels) {
      const tails = level[0] === 108 ? Array<number>(200).fill(NIL) : [];
      const deep = (count: number): Buffer =>
        termBytes(repeated(level, count), NIL, ...tails.slice(0, count));
      assert.ok(tryDecodeTerm(deep(MAX_DEPTH - 1)), String(level));
      refuses(deep(MAX_DEPTH), /nested at most 128 \(levels\) deep/);
      refuses(deep(100_000), /nested at most 128 \(levels\) deep/);
    }
    const tail = [108, 0, 0, 0, 1, NIL];
    refuses(termBytes(repeated(tail, 100_000), NIL), /nested at most/);
  });

  it("reads compressed terms of exactly the announced length", () => {
    const term = encodeTerm({ text: "a".repeat(1_000) }).subarray(1);
    const zlib = deflateSync(term);
    assert.deepEqual(decodeTerm(compressed(term.length, zlib)), { text: "a".repeat(1_000) });
    refuses(compressed(term.length - 1, zlib), /announces, \d+ \(bytes\), got more, or no zlib$/);
    refuses(compressed(term.length + 1, zlib), /announces, \d+ \(bytes\), got \d+$/);
    refuses(compressed(0, zlib), /inflate to 1 to 1048576 \(bytes\), got 0$/);
    refuses(compressed(1, zlib.subarray(0, 9)), /got more, or no zlib$/);
    refuses(termBytes(80, 0, 0), /inflate to 1 to 1048576 \(bytes\), got 0$/);
    // A compressed term inside another.
    const inner = compressed(term.length, zlib).subarray(1);
    refuses(compressed(inner.length, deflateSync(inner)), /tags of data only, got 80/);
  });

  it("refuses a zlib bomb, whether it announces its length or not", () => {
    const bomb = deflateSync(Buffer.alloc(8 * MAX_TERM_BYTES, NIL));
    refuses(termBytes(80, u32(8 * MAX_TERM_BYTES), bomb), /inflate to 1 to 1048576/);
    refuses(termBytes(80, u32(MAX_TERM_BYTES), bomb), /inflate to what it announces/);
    refuses(Buffer.alloc(MAX_TERM_BYTES + 1, 131), /^term must have at most 1048576 \(bytes\)/);
  });

  it("returns a term or refuses, whatever the bytes", () => {
    const flipped = fc.tuple(TERMS, fc.nat(), fc.nat(255)).map(([term, at, mask]) => {
      const bytes = encodeTerm(term);
      const place = at % bytes.length;
      bytes[place] = (bytes[place] as number) ^ mask;
      return bytes;
    });
    const tags = fc.array(
      fc.constantFrom(70, 77, 88, 90, 97, 98, 100, 104, 105, NIL, 107, 108, 0, 1, 2),
    );
    const inputs = fc.oneof(
      fc.uint8Array(),
      fc.uint8Array().map((bytes) => termBytes(bytes)),
      tags.map((bytes) => termBytes(...bytes)),
      flipped,
    );
    fc.assert(
      fc.property(inputs, (bytes) => {
        const read = tryDecodeTerm(bytes);
        // A decoded term survives a round trip.
        if (read) assert.deepEqual(decodeTerm(encodeTerm(read.term)), read.term);
      }),
      { numRuns: 3_000 },
    );
  });
});
