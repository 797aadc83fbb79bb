/**
 * What a test has opened, and ends also if it fails: what is left open keeps the test's process from ending.
 *
 * Runs on: the test's thread.
 * Order: what was opened last is ended first.
 */

/** What was opened, and how it is ended. */
export class Opened {
  readonly #ends: (() => unknown)[] = [];

  /** Notes what was opened, and returns it. */
  add<One>(one: One, end: (opened: One) => unknown): One {
    this.#ends.push(() => end(one));
    return one;
  }

  /** Ends all of it, also if the end of some fails. @throws the first of these errors (rejects) */
  async end(): Promise<void> {
    const errors: unknown[] = [];
    for (let end = this.#ends.pop(); end; end = this.#ends.pop()) {
      try {
        await end();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
