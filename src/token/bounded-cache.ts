/**
 * A cache with a limited number of values, by name.
 *
 * Runs on: any thread; each has its own.
 * Full: drops the oldest value, which is created again when it is next needed.
 */

/** Values by name. */
export class BoundedCache<Name, Value> {
  readonly #bound: number;
  readonly #values = new Map<Name, Value>();

  /** @param bound - maximum number of values */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Returns the value for a name, creating it if necessary. @throws whatever `make` throws */
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
