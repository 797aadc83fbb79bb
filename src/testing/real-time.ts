/**
 * The time of the machine, whatever a test has put in its place since.
 *
 * Runs on: the thread of a test.
 */

import { performance } from "node:perf_hooks";

/** What the runtime itself has for time, taken before anything replaced it. */
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

/** How long something may take to come. */
export interface Wait {
  /** What it was given by name, or undefined. */
  readonly timeoutMs: number | undefined;
  /** What stands for it otherwise; under virtual time what threads, files and networks get. */
  readonly patienceMs: number;
}

/** Begins a wait, which calls back when it is over; gives what cancels it. */
export type Waiting = (over: () => void) => () => void;

/** The time of an app in a test. */
export interface TestTime {
  /** Makes a wait, which begins when it is called. */
  waiting(wait: Wait): Waiting;
  /** Says how long a wait is. */
  shown(wait: Wait): string;
  /** Is told that its app has ended. */
  end(): void;
}

/** Time as it is. */
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
 * Goes round the loop until a claim holds.
 *
 * @returns whether it did, within so much of the machine's time
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
