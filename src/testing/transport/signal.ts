/**
 * Waits with time limits: for a promise, or until something is true that changes with events.
 *
 * Runs on: the thread of a test.
 */

import { REAL } from "../real-time.ts";

/** Resolves like `awaited`; undefined, if that does not settle in time. */
export async function inTime<Value>(
  awaited: Value | Promise<Value>,
  timeoutMs: number,
): Promise<{ readonly value: Value } | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = REAL.setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([Promise.resolve(awaited).then((value) => ({ value })), late]);
  } finally {
    REAL.clearTimeout(timer);
  }
}

/** Events of any kind, after which what is awaited may be true. */
export class Signal {
  readonly #waiters = new Set<() => void>();

  /** Called after each event. */
  notify(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  /** Waits until a claim is true. Returns false if it is not within the time. */
  async until(claim: () => boolean, timeoutMs: number): Promise<boolean> {
    const deadlineMs = REAL.now() + timeoutMs;
    while (!claim()) {
      if (REAL.now() >= deadlineMs) return false;
      await this.#next(deadlineMs - REAL.now());
    }
    return true;
  }

  async #next(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = REAL.setTimeout(resolve, timeoutMs);
      this.#waiters.add(() => {
        REAL.clearTimeout(timer);
        resolve();
      });
    });
  }
}
