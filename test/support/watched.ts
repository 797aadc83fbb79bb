/**
 * Something that changes, and a test that waits until it is such.
 *
 * Runs on: the test's thread.
 */

import { within } from "./deadline.ts";

/** What is told of changes, and wakes who waits. One at a time waits. */
export class Watched {
  #look: () => void = () => undefined;

  /** Something has changed. */
  changed(): void {
    this.#look();
  }

  /** Waits until it is so; it may be already. */
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
