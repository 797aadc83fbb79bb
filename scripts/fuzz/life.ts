/**
 * A life: one connection of the fuzzer, from its opening to its end. Lives are numbered. Each follows
 * from the seed and its number, so that it can be repeated without the others.
 *
 * Runs on: the fuzzer's process.
 */

/** A fault that a life found, or undefined. */
export type LifeResult = string | undefined;

/** A connection that is ready to begin. */
export interface Life {
  /**
   * Lives.
   *
   * @param count - called with the number of frames or requests that were written
   */
  run(port: number, count: (written: number) => void): Promise<LifeResult>;
}

/** Longer than any limit of the server that closes a silent connection in the fuzzed app. */
const ANSWER_DEADLINE_MS = 60_000;

/** Thrown if the server neither answered nor closed. */
export class Unanswered extends Error {}

/** Lets a life wait for what arrives. */
export class LifeWait {
  #look: () => void = () => undefined;

  /** Called whenever something has arrived. */
  wake(): void {
    this.#look();
  }

  /** Waits until a condition holds. @throws Unanswered after the deadline */
  async until(isSo: () => boolean, what: string): Promise<void> {
    if (await this.untilOr(isSo, ANSWER_DEADLINE_MS)) return;
    throw new Unanswered(`waited ${ANSWER_DEADLINE_MS} ms for ${what}`);
  }

  /** Waits until a condition holds, or for a time. @returns whether it holds */
  untilOr(isSo: () => boolean, ms: number): Promise<boolean> {
    if (isSo()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(isSo()), ms);
      this.#look = (): void => {
        if (!isSo()) return;
        clearTimeout(timer);
        this.#look = () => undefined;
        resolve(true);
      };
    });
  }
}
