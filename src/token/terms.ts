/**
 * Values of Erlang and Elixir that JavaScript has no form of its own for.
 *
 * The table of all forms is in this folder's README.
 *
 * Runs on: any thread.
 */

import { makeError } from "../errors.ts";

/** A value that an external term holds, as JavaScript has it. */
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
/** Erlang has no longer atoms; counted in characters, not in UTF-16 units. */
const ATOM_LENGTH = /^.{0,255}$/su;

/** True for text that UTF-8 has bytes for: no surrogate stands alone in it. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** An atom, `:user` in Elixir. One name is one object, so `===` compares atoms. */
export class Atom {
  // Weak, so that names that come from outside do not pile up.
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
   * Gives the atom of a name.
   *
   * @throws SIM_ERR_TERM for a name of more than 255 characters, or with half a character in it
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

  /** @throws SIM_ERR_TERM for a tail that is a list, and so not the end of this one */
  constructor(elements: readonly Term[], tail: Term) {
    if (elements.length === 0 || Array.isArray(tail) || tail instanceof ImproperList) {
      const rule = "list with a tail must have elements, and a tail that is no list";
      throw makeError("SIM_ERR_TERM", `${rule}, got ${elements.length} and such a tail`);
    }
    this.elements = elements;
    this.tail = tail;
  }
}

/** Bits that fill no whole number of bytes, `<<5::3>>` in Elixir. */
export class Bitstring {
  /** All bits; those past the end in the last byte are zero. */
  readonly bytes: Uint8Array;
  /** How many bits of the last byte count, from its high end: 1 to 7. */
  readonly lastBits: number;

  /** @throws SIM_ERR_TERM where the bytes cannot end so */
  constructor(bytes: Uint8Array, lastBits: number) {
    const last = bytes.at(-1);
    const isWhole = !Number.isInteger(lastBits) || lastBits < 1 || lastBits > 7;
    if (last === undefined || isWhole || (last & (0xff >> lastBits)) !== 0) {
      const rule = "bitstring must have a last byte of 1 to 7 (bits), and zeros after them";
      throw makeError("SIM_ERR_TERM", `${rule}, got ${last} of ${lastBits}`);
    }
    this.bytes = bytes;
    this.lastBits = lastBits;
  }
}

/** A pid or a reference: means something to the node that made it, here it is kept as it is. */
export class Identifier {
  readonly kind: "pid" | "reference";
  /** The term as it was read, tag first. */
  readonly bytes: Uint8Array;

  constructor(kind: "pid" | "reference", bytes: Uint8Array) {
    this.kind = kind;
    this.bytes = bytes;
  }
}
