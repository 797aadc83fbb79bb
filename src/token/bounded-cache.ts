/**
 * What was made once for a name, and is kept.
 *
 * Runs on: any thread; each has its own.
 * Full: the one that was made first is made again when it is wanted.
 */

/** A cache of a few values. */
export class BoundedCache<Name, Value> {
  readonly #bound: number;
  readonly #values = new Map<Name, Value>();

  /** @param bound - values that are kept */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Gives a value, which is made where it is not there. @throws what making it throws */
  get(name: Name, make: () => Value): Value {
    const known = this.#values.get(name);
    if (known !== undefined) return known;
    const made = make();
    const [first] = this.#values.keys();
    if (first !== undefined && this.#values.size >= this.#bound) this.#values.delete(first);
    this.#values.set(name, made);
    return made;
  }
}
