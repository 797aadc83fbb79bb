/**
 * Numbers that a member's custom transports publish: current values, of which only the member knows the names.
 *
 *   member n, from byte FIGURES_BYTES * n
 *   0                   8
 *   +-------------------+-------------------+--
 *   | figure 0          | figure 1          | …     Float64; NaN if there is no value
 *   +-------------------+-------------------+--
 *
 * Runs on: any thread; one Figures for each member.
 * Owns:    a member writes only its own block; main clears it before the number is given to another thread.
 * Order:   none, as for counters.
 */

/** Figures that a member can publish. */
export const MAX_FIGURES = 256;

const FIGURES_BYTES = MAX_FIGURES * 8;

/** Allocates figures without values for a given number of members. */
export function makeFiguresMemory(members: number): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(members * FIGURES_BYTES);
  new Float64Array(shared).fill(Number.NaN);
  return shared;
}

/** Removes the values of a member. Called by main after the member's thread has ended. */
export function clearFigures(shared: SharedArrayBuffer, member: number): void {
  new Figures(shared, member).clear();
}

/** The figures of one member. */
export class Figures {
  readonly #values: Float64Array;

  constructor(shared: SharedArrayBuffer, member: number) {
    this.#values = new Float64Array(shared, member * FIGURES_BYTES, MAX_FIGURES);
  }

  /** Publishes a value, or removes it. Called by the member only. */
  set(figure: number, value: number | undefined): void {
    this.#values[figure] = value ?? Number.NaN;
  }

  /** Returns the value of a figure, if it has one. */
  get(figure: number): number | undefined {
    const value = this.#values[figure];
    return Number.isNaN(value) ? undefined : value;
  }

  /** Removes all values. */
  clear(): void {
    this.#values.fill(Number.NaN);
  }
}
