/**
 * Things that come one after the other, and wait until a test asks for them.
 *
 * Runs on: the test's thread. One asks at a time.
 */
import { within } from "../deadline.ts";

/** Things that have come and were not asked for yet. */
export class Arrivals<Thing> {
  readonly #waiting: Thing[] = [];
  #wake: (() => void) | undefined = undefined;

  /** Those that nobody asked for. */
  get size(): number {
    return this.#waiting.length;
  }

  add(thing: Thing): void {
    this.#waiting.push(thing);
    this.#wake?.();
  }

  /** Gives the next. @param what - for the error, where it does not come */
  async next(what: string): Promise<Thing> {
    while (this.#waiting.length === 0) {
      const more = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(more, what);
    }
    return this.#waiting.shift() as Thing;
  }

  /** Gives the next so many. */
  async take(count: number, what: string): Promise<Thing[]> {
    const things: Thing[] = [];
    while (things.length < count) things.push(await this.next(`${what} ${things.length + 1}`));
    return things;
  }
}
