/**
 * Lets a test wait for a condition on something that changes.
 *
 * Runs on: the test's thread.
 */

import { within } from "./deadline.ts";

/** Receives changes and wakes the waiting test. Only one caller can wait at a time. */
export class Watched {
  #look: () => void = () => undefined;

  /** Called when something has changed. */
  changed(): void {
    this.#look();
  }

  /** Waits until a condition is true; it may already be. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      this.#look = () => {
        if (isSo()) resolve();
      };
      this.#look();
    });
    await within(seen, what);
  }
}
