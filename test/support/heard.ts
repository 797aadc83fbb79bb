/**
 * The numbers that a client hears: each message of a test has one.
 *
 * Runs on: the main thread of the tests.
 */
import { within } from "./deadline.ts";

/** The part of a client's channel that is used here. */
interface Listening {
  on(event: string, callback: (payload: unknown) => void): unknown;
}

/** Returns the numbers from 1. */
export function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, at) => at + 1);
}

/** The numbers in the payloads of an event. */
export class Heard {
  readonly numbers: number[] = [];
  #wake: () => void = () => {};

  constructor(channel: Listening, event: string) {
    channel.on(event, (payload) => {
      this.numbers.push((payload as { n: number }).n);
      this.#wake();
    });
  }

  /** Waits until it has heard this many. */
  async until(count: number): Promise<void> {
    while (this.numbers.length < count) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(woken, `message ${count}, after ${this.numbers.length}`);
    }
  }
}
