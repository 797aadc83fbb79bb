/**
 * Decodes Erlang's external term format, as `binary_to_term` does, except functions and ports.
 *
 * Runs on: any thread.
 * Full:    a term that exceeds the limits of term-format is rejected before memory is allocated for
 *          it, because each length is compared with the number of remaining bytes.
 */

import { hasCode, makeError, type SimurghError } from "../errors.ts";
import { inflatedTerm } from "./compressed-term.ts";
import { MAX_DEPTH, MAX_INTEGER_BYTES, MAX_TERM_BYTES, TAG, VERSION } from "./term-format.ts";
import { Atom, Bitstring, Identifier, ImproperList, Tuple, type Term } from "./terms.ts";

/** Number of bytes after the node's name in a pid, or in a reference of the oldest form. */
const NUMBERS_BYTES = { [TAG.pid]: 9, [TAG.newPid]: 12, [TAG.reference]: 5 } as const;
const MAX_REFERENCE_WORDS = 5;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Decodes one external term.
 *
 * @throws SIM_ERR_TERM if the bytes are not exactly one term, or if the term exceeds the limits or
 *   contains a function or a port
 */
export function decodeTerm(bytes: Uint8Array): Term {
  if (bytes.length > MAX_TERM_BYTES) {
    throw refused(`have at most ${MAX_TERM_BYTES} (bytes)`, bytes.length);
  }
  if (bytes[0] !== VERSION) throw refused(`begin with ${VERSION}`, String(bytes[0]));
  const reader = new TermReader(
    bytes[1] === TAG.compressed ? inflatedTerm(bytes) : bytes.subarray(1),
  );
  const term = reader.readTerm(1);
  reader.end();
  return term;
}

/** Decodes one external term. Returns undefined if `decodeTerm` would throw. */
export function tryDecodeTerm(bytes: Uint8Array): { readonly term: Term } | undefined {
  try {
    return { term: decodeTerm(bytes) };
  } catch (error) {
    if (hasCode(error, "SIM_ERR_TERM")) return undefined;
    throw error;
  }
}

/** Reads the bytes of a term from start to end. */
class TermReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  end(): void {
    if (this.#offset < this.#bytes.length) throw refused("end here", `more at ${this.#offset}`);
  }

  readTerm(depth: number): Term {
    if (depth > MAX_DEPTH) throw refused(`be nested at most ${MAX_DEPTH} (levels) deep`, "more");
    const start = this.#offset;
    const tag = this.#number(1);
    switch (tag) {
      case TAG.smallTuple:
        return this.#tuple(1, depth);
      case TAG.largeTuple:
        return this.#tuple(4, depth);
      case TAG.emptyList:
        return [];
      case TAG.list:
        return this.#list(depth);
      case TAG.map:
        return this.#map(depth);
      default:
        return this.#numberTerm(tag) ?? this.#bytesTerm(tag) ?? this.#named(tag, start);
    }
  }

  #numberTerm(tag: number): Term | undefined {
    switch (tag) {
      case TAG.smallInteger:
        return this.#number(1);
      case TAG.integer:
        return this.#number(4) | 0;
      case TAG.smallBig:
        return this.#bigInteger(1);
      case TAG.largeBig:
        return this.#bigInteger(4);
      case TAG.float:
        return this.#float();
      default:
        return undefined;
    }
  }

  #bytesTerm(tag: number): Term | undefined {
    switch (tag) {
      case TAG.binary:
        return textOrBytes(this.#take(this.#number(4)));
      case TAG.byteList:
        return [...this.#take(this.#number(2))];
      case TAG.bitstring:
        return this.#bitstring();
      default:
        return undefined;
    }
  }

  /** Reads an atom, or a term that contains the name of its node as an atom. */
  #named(tag: number, start: number): Term {
    switch (tag) {
      case TAG.pid:
      case TAG.newPid:
      case TAG.reference:
        this.#atom(this.#number(1));
        this.#take(NUMBERS_BYTES[tag]);
        return new Identifier(tag === TAG.reference ? "reference" : "pid", this.#since(start));
      case TAG.newReference:
      case TAG.newerReference:
        this.#reference(tag);
        return new Identifier("reference", this.#since(start));
      default:
        return atomOrLiteral(this.#atom(tag));
    }
  }

  #bigInteger(width: 1 | 4): number | bigint {
    const length = this.#number(width);
    if (length > MAX_INTEGER_BYTES) {
      throw refused(`have integers of at most ${MAX_INTEGER_BYTES} (bytes)`, length);
    }
    const isNegative = this.#number(1) !== 0;
    const digits = Buffer.from(this.#take(length).toReversed()).toString("hex");
    const magnitude = BigInt(`0x0${digits}`);
    const value = isNegative ? -magnitude : magnitude;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #float(): number {
    const value = this.#take(8).readDoubleBE();
    if (!Number.isFinite(value)) throw refused("have finite numbers only", value);
    return value;
  }

  #bitstring(): Term {
    const length = this.#number(4);
    const lastBits = this.#number(1);
    const bytes = Uint8Array.from(this.#take(length));
    const isWhole = lastBits === 8 || (lastBits === 0 && length === 0);
    if (isWhole) return textOrBytes(bytes);
    if (length === 0 || lastBits === 0 || lastBits > 8) {
      throw refused("have 1 to 8 bits in a last byte", lastBits);
    }
    // Bits after the end have no meaning, so they become zero.
    bytes[length - 1] = (bytes[length - 1] as number) & (0xff << (8 - lastBits));
    return new Bitstring(bytes, lastBits);
  }

  #tuple(width: 1 | 4, depth: number): Tuple {
    return new Tuple(this.#terms(this.#number(width), depth));
  }

  #list(depth: number): Term {
    const elements = this.#terms(this.#number(4), depth);
    const tail = this.readTerm(depth + 1);
    const isEmpty = Array.isArray(tail) && tail.length === 0;
    return isEmpty ? elements : new ImproperList(elements, tail);
  }

  #map(depth: number): Term {
    const count = this.#number(4);
    this.#checkRoom(count * 2);
    const entries = new Map<Term, Term>();
    let hasTextKeys = true;
    for (let at = 0; at < count; at += 1) {
      const key = this.readTerm(depth + 1);
      if (entries.has(key)) throw refused("have each key of a map once", "one twice");
      if (typeof key !== "string") hasTextKeys = false;
      entries.set(key, this.readTerm(depth + 1));
    }
    // Makes every key an own property, even `__proto__`.
    return hasTextKeys ? Object.fromEntries(entries) : entries;
  }

  #terms(count: number, depth: number): Term[] {
    this.#checkRoom(count);
    const terms: Term[] = [];
    for (let at = 0; at < count; at += 1) terms.push(this.readTerm(depth + 1));
    return terms;
  }

  #reference(tag: typeof TAG.newReference | typeof TAG.newerReference): void {
    const words = this.#number(2);
    if (words > MAX_REFERENCE_WORDS) {
      throw refused(`have references of at most ${MAX_REFERENCE_WORDS} (words)`, words);
    }
    this.#atom(this.#number(1));
    const creationBytes = tag === TAG.newReference ? 1 : 4;
    this.#take(creationBytes + words * 4);
  }

  #atom(tag: number): string {
    switch (tag) {
      case TAG.atomLatin1:
        return this.#take(this.#number(2)).toString("latin1");
      case TAG.smallAtomLatin1:
        return this.#take(this.#number(1)).toString("latin1");
      case TAG.atomUtf8:
        return this.#utf8Atom(this.#number(2));
      case TAG.smallAtomUtf8:
        return this.#utf8Atom(this.#number(1));
      default:
        throw refused("have tags of data only", tag);
    }
  }

  #utf8Atom(length: number): string {
    const name = tryText(this.#take(length));
    if (name === undefined) throw refused("have atoms of well-formed text", "other bytes");
    return name;
  }

  #number(width: 1 | 2 | 4): number {
    return this.#take(width).readUIntBE(0, width);
  }

  #take(length: number): Buffer {
    this.#checkRoom(length);
    this.#offset += length;
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  #since(start: number): Uint8Array {
    return Uint8Array.from(this.#bytes.subarray(start, this.#offset));
  }

  /** Checks that at least one byte remains for each announced element. */
  #checkRoom(count: number): void {
    const left = this.#bytes.length - this.#offset;
    if (count > left) throw refused(`have what it announces, ${count} (bytes)`, left);
  }
}

/** Returns a binary as text if it is UTF-8, because Elixir's strings are binaries. */
function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  return tryText(bytes) ?? Uint8Array.from(bytes);
}

function tryText(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}

function atomOrLiteral(name: string): Term {
  switch (name) {
    case "nil":
      return null;
    case "true":
      return true;
    case "false":
      return false;
    default:
      return Atom.of(name);
  }
}

function refused(rule: string, got: string | number): SimurghError {
  return makeError("SIM_ERR_TERM", `term must ${rule}, got ${got}`);
}
