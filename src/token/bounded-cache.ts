/**
 * A cache of a bounded number of values by name.
 *
 * Runs on: any thread; each has its own.
 * Full: drops the oldest value, which is made again when it is next asked for.
 */

/** Values by name. */
export class BoundedCache<Name, Value> {
  readonly #bound: number;
  readonly #values = new Map<Name, Value>();

  /** @param bound - how many values are kept */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Returns the value of a name; makes it if it is missing. @throws what `make` throws */
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
