/**
 * Terms for tests: arbitrary ones, and hand-written bytes.
 *
 * Runs on: the test's thread.
 */

import * as fc from "fast-check";

import { Bitstring, ImproperList, Tuple, Atom, type Term } from "../../src/token/terms.ts";

/** Arbitrary text without lone surrogates, which cannot be encoded in UTF-8. */
const TEXT = fc.string({ unit: "grapheme" });

/** Arbitrary terms that are the same value after encoding and decoding. */
export const TERMS: fc.Arbitrary<Term> = fc.letrec<{ term: Term; list: Term[] }>((tie) => ({
  term: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom<Term>(null, true, false, 0, -0, 255, 256, -1, 2 ** 31, -(2 ** 31) - 1),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.bigInt().filter((value) => !Number.isSafeInteger(Number(value))),
    TEXT,
    fc.constantFrom("__proto__", "constructor", "\ufeffmark"),
    fc.uint8Array({ maxLength: 300 }).filter((bytes) => !isUtf8(bytes)),
    TEXT.filter(isName).map((name) => Atom.of(name)),
    bitstrings(),
    tie("list"),
    fc.array(fc.nat(255), { maxLength: 300 }),
    tie("list").map((elements) => new Tuple(elements)),
    fc
      .tuple(tie("list"), TEXT)
      .map(([elements, tail]) => (elements.length > 0 ? new ImproperList(elements, tail) : tail)),
    fc.dictionary(TEXT, tie("term")).map((object) => Object.fromEntries(Object.entries(object))),
    fc.array(fc.tuple(fc.maxSafeInteger(), tie("term")), { minLength: 1 }).map(mapOf),
    fc.array(fc.tuple(tie("term"), tie("term")), { minLength: 1 }).map(([pair]) => mapOf([pair])),
  ),
  list: fc.array(tie("term"), { maxLength: 5 }),
})).term;

/** Returns a version byte followed by the bytes of numbers and texts. */
export function termBytes(...parts: readonly (number | string | Uint8Array)[]): Buffer {
  const bytes = parts.map((part) =>
    typeof part === "number" ? Buffer.of(part) : Buffer.from(part as string),
  );
  return Buffer.concat([Buffer.of(131), ...bytes]);
}

/** Returns a length as four bytes. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Returns a length as two bytes. */
export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** Makes a Map. A Map whose only key is text would be decoded as an object, so none is made. */
function mapOf(entries: readonly (readonly [Term, Term] | undefined)[]): Term {
  const map = new Map<Term, Term>();
  for (const entry of entries) if (entry) map.set(entry[0], entry[1]);
  return [...map.keys()].every((key) => typeof key === "string") ? [...map.values()] : map;
}

function bitstrings(): fc.Arbitrary<Bitstring> {
  return fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 7 }))
    .map(([bytes, lastBits]) => {
      const last = bytes.length - 1;
      bytes[last] = (bytes[last] as number) & (0xff << (8 - lastBits));
      return new Bitstring(bytes, lastBits);
    });
}

function isName(name: string): boolean {
  return name.length <= 100 && !["nil", "true", "false"].includes(name);
}

function isUtf8(bytes: Uint8Array): boolean {
  return Buffer.from(Buffer.from(bytes).toString()).equals(bytes);
}
