/**
 * Real time, even after a test has installed fake timers.
 *
 * Runs on: the thread of a test.
 */

import { performance } from "node:perf_hooks";

/** Clocks and timers of the runtime, saved before anything could replace them. */
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

/** How long an assertion waits. */
export interface Wait {
  /** The assertion's own `timeoutMs`, if it has one. */
  readonly timeoutMs: number | undefined;
  /** Used if it has none. Under virtual time: how much real time threads, files and networks get. */
  readonly patienceMs: number;
}

/** Starts a wait, and calls `over` when it is over. Returns a function that cancels it. */
export type Waiting = (over: () => void) => () => void;

/** The time of an app in a test. */
export interface TestTime {
  /** Returns a wait, which starts when it is called. */
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
