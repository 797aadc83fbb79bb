/**
 * Access to real time, even after a test has installed fake timers.
 *
 * Runs on: the thread of a test.
 */

import { performance } from "node:perf_hooks";

/**
 * Clocks and timers of the runtime, saved before a test can replace them.
 *
 * @internal so that the published types need none of Node.js's
 */
export const REAL = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
  Date: globalThis.Date,
  now: performance.now.bind(performance),
} as const;

/** Time limits of an assertion. */
export interface Wait {
  /** The assertion's own `timeoutMs`, if given. */
  readonly timeoutMs: number | undefined;
  /**
   * Used if there is no `timeoutMs`. Under virtual time: real time allowed for threads, files and
   * networks.
   */
  readonly patienceMs: number;
}

/** Starts a wait and calls back when it is over. Returns a function that cancels the wait. */
export type Waiting = (over: () => void) => () => void;

/** The kind of time that an app uses in a test. */
export interface TestTime {
  /** Returns a function that starts a wait. */
  waiting(wait: Wait): Waiting;
  /** Formats a wait for messages. */
  shown(wait: Wait): string;
  /** Called when the app has ended. */
  end(): void;
}

/** Real time. */
export const REAL_TIME: TestTime = {
  waiting:
    ({ timeoutMs, patienceMs }) =>
    (over) => {
      const timer = REAL.setTimeout(over, timeoutMs ?? patienceMs);
      return () => REAL.clearTimeout(timer);
    },
  shown: ({ timeoutMs, patienceMs }) => `within ${timeoutMs ?? patienceMs} (ms)`,
  end() {},
};

/**
 * Waits in real time until a condition is true.
 *
 * @returns false if it did not become true within `patienceMs`
 */
export async function holdsWithin(patienceMs: number, claim: () => boolean): Promise<boolean> {
  const deadlineMs = REAL.now() + patienceMs;
  while (!claim()) {
    if (REAL.now() > deadlineMs) return false;
    await new Promise((resolve) => {
      REAL.setTimeout(resolve, 1);
    });
  }
  return true;
}
