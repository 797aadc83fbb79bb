/**
 * Which ticks of one replica's clock have been seen: all up to one, and spans beyond it.
 *
 * A replica's clock goes up by one with each thing that it does: a presence that comes, goes, or is
 * updated. What it did travels with the span of ticks in which it did it, so who has seen a span
 * knows all that there was in it. Spans may arrive twice, late or never: what was seen only grows,
 * and a hole in it says what was missed.
 *
 *   0 ...... through    after .. to     after .. to
 *   |###########|.........|#######|.......|####|        # seen
 *
 * Runs on: shard. Pure.
 */

/** The ticks after one, up to another. */
export type Span = readonly [after: number, to: number];

/** What was seen of one clock. */
export class Seen {
  #through = 0;
  /** Spans beyond, in order; none touches another. There are some only while something is missed. */
  #beyond: readonly Span[] = [];

  /** Every tick up to this one was seen. */
  get through(): number {
    return this.#through;
  }

  /** The last tick that was seen. */
  get last(): number {
    return this.#beyond.at(-1)?.[1] ?? this.#through;
  }

  /** Tells whether a tick was seen. */
  has(tick: number): boolean {
    return tick <= this.#through || this.#beyond.some(([after, to]) => tick > after && tick <= to);
  }

  /** Notes that a span was seen. */
  add([after, to]: Span): void {
    if (to <= after || to <= this.#through) return;
    if (after <= this.#through && this.#beyond.length === 0) {
      this.#through = to;
      return;
    }
    let [start, end] = [Math.max(after, this.#through), to];
    const apart: Span[] = [];
    for (const span of this.#beyond) {
      if (span[1] < start || span[0] > end) apart.push(span);
      else [start, end] = [Math.min(start, span[0]), Math.max(end, span[1])];
    }
    if (start === this.#through) this.#through = end;
    else apart.push([start, end]);
    this.#beyond = apart.toSorted(([one], [other]) => one - other);
  }

  /** All that was seen, in order. */
  spans(): Span[] {
    return this.#through === 0 ? [...this.#beyond] : [[0, this.#through], ...this.#beyond];
  }
}
