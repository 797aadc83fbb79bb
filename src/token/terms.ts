/**
 * Erlang and Elixir values that have no counterpart in JavaScript.
 *
 * This folder's README has a table of all representations.
 *
 * Runs on: any thread.
 */

import { makeError } from "../errors.ts";

/** A term as a JavaScript value. */
export type Term =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Atom
  | Tuple
  | ImproperList
  | Bitstring
  | Identifier
  | Term[]
  | Map<Term, Term>
  | { [key: string]: Term };

const LONE_SURROGATE = /\p{Surrogate}/u;
/** Longest atom in Erlang, counted in characters and not in UTF-16 units. */
const ATOM_LENGTH = /^.{0,255}$/su;

/** Reports whether text can be written as UTF-8: it contains no lone surrogate. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/**
 * An atom, `:user` in Elixir. There is one object per name, so atoms can be compared with `===`.
 */
export class Atom {
  // Weak references, so that names sent by clients do not accumulate.
  static readonly #known = new Map<string, WeakRef<Atom>>();
  static readonly #forgotten = new FinalizationRegistry<string>((name) => {
    if (Atom.#known.get(name)?.deref() === undefined) Atom.#known.delete(name);
  });

  readonly name: string;

  private constructor(name: string) {
    this.name = name;
    Object.freeze(this);
  }

  /**
   * Returns the atom with the given name.
   *
   * @throws SIM_ERR_TERM if the name has more than 255 characters or contains a lone surrogate
   */
  static of(name: string): Atom {
    const known = Atom.#known.get(name)?.deref();
    if (known) return known;
    if (!ATOM_LENGTH.test(name) || !isWellFormed(name)) {
      const rule = "atom must be well-formed text of at most 255 (characters)";
      throw makeError("SIM_ERR_TERM", `${rule}, got ${name.length}`);
    }
    const atom = new Atom(name);
    Atom.#known.set(name, new WeakRef(atom));
    Atom.#forgotten.register(atom, name);
    return atom;
  }

  toString(): string {
    return `:${this.name}`;
  }
}

/** A tuple, `{:user, 5}` in Elixir. */
export class Tuple {
  readonly elements: readonly Term[];

  constructor(elements: readonly Term[]) {
    this.elements = elements;
  }

  [Symbol.iterator](): Iterator<Term> {
    return this.elements[Symbol.iterator]();
  }
}

/** A list that does not end in the empty list, `[1 | 2]` in Elixir. */
export class ImproperList {
  readonly elements: readonly Term[];
  readonly tail: Term;

  /** @throws SIM_ERR_TERM if there are no elements, or the tail is a list */
  constructor(elements: readonly Term[], tail: Term) {
    if (elements.length === 0 || Array.isArray(tail) || tail instanceof ImproperList) {
      const rule = "improper list must have elements, and a tail that is not a list";
      const got = elements.length === 0 ? "no element" : "a list as its tail";
      throw makeError("SIM_ERR_TERM", `${rule}, got ${got}`);
    }
    this.elements = elements;
    this.tail = tail;
  }
}

/** Bits that do not fill their last byte, `<<5::3>>` in Elixir. */
export class Bitstring {
  /** The bits. Unused bits of the last byte are zero. */
  readonly bytes: Uint8Array;
  /** Number of bits used in the last byte, from its high end: 1 to 7. */
  readonly lastBits: number;

  /** @throws SIM_ERR_TERM if `lastBits` is not 1 to 7, or unused bits are not zero */
  constructor(bytes: Uint8Array, lastBits: number) {
    const last = bytes.at(-1);
    const isWhole = !Number.isInteger(lastBits) || lastBits < 1 || lastBits > 7;
    if (last === undefined || isWhole || (last & (0xff >> lastBits)) !== 0) {
      const rule = "bitstring must use 1 to 7 (bits) of its last byte, with zeros after them";
      throw makeError("SIM_ERR_TERM", `${rule}, got ${last} of ${lastBits}`);
    }
    this.bytes = bytes;
    this.lastBits = lastBits;
  }
}

/**
 * A pid or a reference. It has meaning only to the node that created it, and is preserved
 * unchanged.
 */
export class Identifier {
  readonly kind: "pid" | "reference";
  /** The encoded term, starting at its tag. */
  readonly bytes: Uint8Array;

  constructor(kind: "pid" | "reference", bytes: Uint8Array) {
    this.kind = kind;
    this.bytes = bytes;
  }
}
