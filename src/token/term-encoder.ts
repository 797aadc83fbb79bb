/**
 * Encodes JavaScript values in Erlang's external term format, as `term_to_binary` does.
 *
 * Runs on: any thread.
 * Full:    rejects what the decoder would reject: a term that is too long or nested too deeply, and
 *          integers that are too large.
 */

import { makeError, type SimurghError } from "../errors.ts";
import { MAX_DEPTH, MAX_INTEGER_BYTES, MAX_TERM_BYTES, TAG, VERSION } from "./term-format.ts";
import { Atom, Bitstring, Identifier, ImproperList, isWellFormed, Tuple } from "./terms.ts";

const MAX_BYTE = 255;
const MAX_BYTE_LIST = 65_535;
const LATIN1_ONLY = /^[\0-ÿ]*$/;
const FORMS =
  "be made of null, booleans, finite numbers, bigints, strings, Uint8Array, arrays, plain objects, Map, Token.atom and Token.tuple";

/**
 * Encodes a value as an external term.
 *
 * @throws SIM_ERR_TERM if the value cannot be represented as a term, or exceeds the limits
 */
export function encodeTerm(value: unknown): Buffer {
  const writer = new TermWriter();
  writer.writeTerm(value, 1);
  return writer.finish();
}

/** Collects the parts of a term. */
class TermWriter {
  readonly #parts: Uint8Array[] = [Uint8Array.of(VERSION)];
  #length = 1;

  finish(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }

  writeTerm(value: unknown, depth: number): void {
    if (depth > MAX_DEPTH) throw refused(`be nested at most ${MAX_DEPTH} (levels) deep`, "more");
    switch (typeof value) {
      case "boolean":
        return this.#writeAtom(String(value));
      case "number":
        return this.#writeNumber(value);
      case "bigint":
        return this.#writeInteger(value);
      case "string":
        return this.#writeBinary(utf8(value));
      case "object":
        return value === null ? this.#writeAtom("nil") : this.#writeObject(value, depth);
      default:
        throw refused(FORMS, typeof value);
    }
  }

  #writeObject(value: object, depth: number): void {
    if (value instanceof Uint8Array) this.#writeBinary(value);
    else if (Array.isArray(value)) this.#writeArray(value, depth);
    else if (value instanceof Map) this.#writeMap(value, depth);
    else if (value instanceof Atom) this.#writeAtom(value.name);
    else if (value instanceof Tuple) this.#writeTuple(value.elements, depth);
    else if (value instanceof ImproperList) this.#writeList(value.elements, value.tail, depth);
    else if (value instanceof Bitstring) this.#writeBitstring(value);
    else if (value instanceof Identifier) this.#add(value.bytes);
    else if (isPlain(value)) this.#writeEntries(Object.entries(value).filter(isSet), depth);
    else throw refused(FORMS, `an object of class ${className(value)}`);
  }

  #writeAtom(name: string): void {
    // The form written by OTP up to 25, which later releases can also read.
    if (LATIN1_ONLY.test(name)) {
      this.#addHead(TAG.atomLatin1, 2, name.length);
      this.#add(Buffer.from(name, "latin1"));
      return;
    }
    const bytes = Buffer.from(name);
    if (bytes.length <= MAX_BYTE) this.#addHead(TAG.smallAtomUtf8, 1, bytes.length);
    else this.#addHead(TAG.atomUtf8, 2, bytes.length);
    this.#add(bytes);
  }

  #writeNumber(value: number): void {
    if (!Number.isFinite(value)) throw refused("have finite numbers only", value);
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.#writeInteger(BigInt(value));
      return;
    }
    const bytes = Buffer.alloc(9);
    bytes[0] = TAG.float;
    bytes.writeDoubleBE(value, 1);
    this.#add(bytes);
  }

  #writeInteger(value: bigint): void {
    if (value >= 0n && value <= MAX_BYTE) {
      this.#add(Uint8Array.of(TAG.smallInteger, Number(value)));
    } else if (BigInt.asIntN(32, value) === value) {
      const bytes = Buffer.alloc(5);
      bytes[0] = TAG.integer;
      bytes.writeInt32BE(Number(value), 1);
      this.#add(bytes);
    } else {
      this.#writeBigInteger(value);
    }
  }

  #writeBigInteger(value: bigint): void {
    const digits = (value < 0n ? -value : value).toString(16);
    const magnitude = Buffer.from(
      digits.length % 2 === 0 ? digits : `0${digits}`,
      "hex",
    ).toReversed();
    if (magnitude.length > MAX_INTEGER_BYTES) {
      throw refused(`have integers of at most ${MAX_INTEGER_BYTES} (bytes)`, magnitude.length);
    }
    if (magnitude.length <= MAX_BYTE) this.#addHead(TAG.smallBig, 1, magnitude.length);
    else this.#addHead(TAG.largeBig, 4, magnitude.length);
    this.#add(Uint8Array.of(value < 0n ? 1 : 0));
    this.#add(magnitude);
  }

  #writeBinary(bytes: Uint8Array): void {
    this.#addHead(TAG.binary, 4, bytes.length);
    this.#add(bytes);
  }

  #writeBitstring({ bytes, lastBits }: Bitstring): void {
    this.#addHead(TAG.bitstring, 4, bytes.length);
    this.#add(Uint8Array.of(lastBits));
    this.#add(bytes);
  }

  #writeTuple(elements: readonly unknown[], depth: number): void {
    if (elements.length <= MAX_BYTE) this.#addHead(TAG.smallTuple, 1, elements.length);
    else this.#addHead(TAG.largeTuple, 4, elements.length);
    for (const element of elements) this.writeTerm(element, depth + 1);
  }

  #writeArray(elements: readonly unknown[], depth: number): void {
    if (isByteList(elements)) {
      this.#addHead(TAG.byteList, 2, elements.length);
      this.#add(Uint8Array.from(elements, Number));
    } else {
      this.#writeList(elements, EMPTY, depth);
    }
  }

  #writeList(elements: readonly unknown[], tail: unknown, depth: number): void {
    if (elements.length > 0) this.#addHead(TAG.list, 4, elements.length);
    // A hole in an array reads as undefined, which is rejected.
    for (const element of elements) this.writeTerm(element, depth + 1);
    if (tail === EMPTY) this.#add(Uint8Array.of(TAG.emptyList));
    else this.writeTerm(tail, depth + 1);
  }

  #writeMap(map: ReadonlyMap<unknown, unknown>, depth: number): void {
    const entries = [...map];
    if (entries.every(hasTextKey)) {
      this.#writeEntries(entries, depth);
      return;
    }
    this.#addHead(TAG.map, 4, entries.length);
    const keys = new Set<string>();
    for (const [key, value] of entries) {
      const start = this.#parts.length;
      this.writeTerm(key, depth + 1);
      // For example, 1 and 1n, or two equal arrays, are different keys in a Map but equal keys in a
      // term.
      keys.add(Buffer.concat(this.#parts.slice(start)).toString("latin1"));
      this.writeTerm(value, depth + 1);
    }
    if (keys.size < entries.length) throw refused("have each key of a Map once", "one twice");
  }

  /** Writes a map sorted by the bytes of its keys, as Erlang does for maps with up to 32 keys. */
  #writeEntries(entries: readonly (readonly [string, unknown])[], depth: number): void {
    this.#addHead(TAG.map, 4, entries.length);
    const sorted = entries
      .map(([key, value]) => ({ key: utf8(key), value }))
      .toSorted((one, other) => Buffer.compare(one.key, other.key));
    for (const { key, value } of sorted) {
      this.#writeBinary(key);
      this.writeTerm(value, depth + 1);
    }
  }

  #addHead(tag: number, width: 1 | 2 | 4, count: number): void {
    // Each element takes at least one byte, so a larger count cannot fit.
    if (count > MAX_TERM_BYTES) throw tooLong();
    const bytes = Buffer.alloc(1 + width);
    bytes[0] = tag;
    bytes.writeUIntBE(count, 1, width);
    this.#add(bytes);
  }

  #add(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#length > MAX_TERM_BYTES) throw tooLong();
    this.#parts.push(bytes);
  }
}

const EMPTY: readonly never[] = [];

function refused(rule: string, got: string | number): SimurghError {
  return makeError("SIM_ERR_TERM", `data must ${rule}, got ${got}`);
}

function tooLong(): SimurghError {
  return refused(`take at most ${MAX_TERM_BYTES} (bytes) as a term`, "more");
}

function utf8(text: string): Buffer {
  if (text.length > MAX_TERM_BYTES) throw tooLong();
  if (!isWellFormed(text)) throw refused("have well-formed text only", "half a surrogate pair");
  return Buffer.from(text);
}

/** Reports whether Erlang writes a list as bytes: all elements are integers from 0 to 255. */
function isByteList(elements: readonly unknown[]): elements is readonly (number | bigint)[] {
  if (elements.length === 0 || elements.length > MAX_BYTE_LIST) return false;
  for (const element of elements) if (!isByte(element)) return false;
  return true;
}

function isByte(value: unknown): boolean {
  if (typeof value === "bigint") return value >= 0n && value <= MAX_BYTE;
  if (typeof value !== "number" || Object.is(value, -0)) return false;
  return Number.isInteger(value) && value >= 0 && value <= MAX_BYTE;
}

function hasTextKey(entry: [unknown, unknown]): entry is [string, unknown] {
  return typeof entry[0] === "string";
}

/** Reports whether a property is written. As in JSON, undefined properties are omitted. */
function isSet([, value]: readonly [string, unknown]): boolean {
  return value !== undefined;
}

/** Reports whether an object is a plain object from any realm, or has no prototype. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function className(value: object): string {
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === "function" ? constructor.name : "unknown";
}
