/**
 * A queue of things that arrive one after the other, until a test takes them.
 *
 * Runs on: the test's thread. Only one caller waits at a time.
 */
import { within } from "../deadline.ts";

/** Things that have arrived and have not been taken yet. */
export class Arrivals<Thing> {
  readonly #waiting: Thing[] = [];
  #wake: (() => void) | undefined = undefined;

  /** How many have not been taken. */
  get size(): number {
    return this.#waiting.length;
  }

  add(thing: Thing): void {
    this.#waiting.push(thing);
    this.#wake?.();
  }

  /** Takes the next one. @param what - its name in the error after a timeout */
  async next(what: string): Promise<Thing> {
    while (this.#waiting.length === 0) {
      const more = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(more, what);
    }
    return this.#waiting.shift() as Thing;
  }

  /** Takes the next `count`. */
  async take(count: number, what: string): Promise<Thing[]> {
    const things: Thing[] = [];
    while (things.length < count) things.push(await this.next(`${what} ${things.length + 1}`));
    return things;
  }
}
