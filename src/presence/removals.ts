/**
 * Which of its own rows a replica removed, and when: so that who missed something is told that alone.
 *
 * Where others keep what they sent, merged in three sizes, this keeps two numbers for each row that
 * went. With the rows that stand, they give what was done since any tick, exactly.
 *
 * Runs on: shard. Pure.
 * Full: the oldest are forgotten; who missed more than is remembered is sent all that there is.
 */

/** The removals of one replica. */
export class Removals {
  readonly #bound: number;
  /** Ticks at which rows went, and the dots of these, both in order of the ticks. */
  #ticks: number[] = [];
  #dots: number[] = [];
  /** Index of the first that is remembered. */
  #front = 0;
  /** Removals up to this tick may be forgotten. */
  #base = 0;

  /** @param bound - how many are remembered */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Notes that the row of a dot went. Ticks come in order. */
  add(tick: number, dot: number): void {
    this.#ticks.push(tick);
    this.#dots.push(dot);
    if (this.#ticks.length - this.#front <= this.#bound) return;
    this.#base = this.#ticks[this.#front] as number;
    this.#front += 1;
    // Moving the rest down only when half has left keeps this cheap.
    if (this.#front * 2 < this.#ticks.length) return;
    this.#ticks = this.#ticks.slice(this.#front);
    this.#dots = this.#dots.slice(this.#front);
    this.#front = 0;
  }

  /**
   * Gives the dots that who has seen all up to a tick may still have a row of.
   *
   * @returns in order; undefined where not all of them are remembered
   */
  since(tick: number): number[] | undefined {
    if (tick < this.#base) return undefined;
    const dots: number[] = [];
    for (let at = this.#ticks.length - 1; at >= this.#front; at -= 1) {
      if ((this.#ticks[at] as number) <= tick) break;
      const dot = this.#dots[at] as number;
      if (dot <= tick) dots.push(dot);
    }
    return dots.toSorted((one, other) => one - other);
  }
}
