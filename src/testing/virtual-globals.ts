/**
 * Replacements for the clocks and timers of Node.js, with the same signatures, based on virtual
 * time.
 *
 * Runs on: the thread of a test.
 */

import { promisify } from "node:util";

import { REAL } from "./real-time.ts";
import { VirtualTimer, type VirtualTimers } from "./virtual-timers.ts";

type Callback = (...args: unknown[]) => void;
type SetTimer = (callback: Callback, delayMs?: unknown, ...args: unknown[]) => VirtualTimer;
/** Starts an operation. Returns a function that cancels it. */
type Begin = (wake: () => void) => () => void;
type Named = Readonly<Record<string, unknown>>;

/** Functions by name: of the global object and `node:timers`, and of `node:timers/promises`. */
export interface VirtualGlobals {
  readonly timers: Named;
  readonly promises: Named;
}

interface SleepOptions {
  readonly signal?: AbortSignal;
}

/**
 * Creates the replacements.
 *
 * @param immediates - collects pending immediates, which are real ones
 */
export function makeVirtualGlobals(
  timers: VirtualTimers,
  immediates: Set<NodeJS.Immediate>,
): VirtualGlobals {
  const { setTimeout, setInterval, clear } = timersOf(timers);
  const { setImmediate, clearImmediate } = immediatesOf(immediates);
  const beginImmediate: Begin = (wake) => {
    const immediate = setImmediate(wake);
    return () => clearImmediate(immediate);
  };
  const sleep = async (delayMs?: number, value?: unknown, options?: SleepOptions) => {
    const begin: Begin = (wake) => {
      const timer = setTimeout(wake, delayMs);
      return () => clear(timer);
    };
    return promised(begin, value, options);
  };
  const nextTurn = async (value?: unknown, options?: SleepOptions) =>
    promised(beginImmediate, value, options);
  return {
    timers: {
      setTimeout: Object.assign(setTimeout, { [promisify.custom]: sleep }),
      setInterval,
      setImmediate: Object.assign(setImmediate, { [promisify.custom]: nextTurn }),
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate,
    },
    promises: {
      setTimeout: sleep,
      setImmediate: nextTurn,
      async *setInterval(delayMs?: number, value?: unknown, options?: SleepOptions) {
        for (;;) yield await sleep(delayMs, value, options);
      },
    },
  };
}

interface Timers {
  readonly setTimeout: SetTimer;
  readonly setInterval: SetTimer;
  readonly clear: (timer: unknown) => void;
}

function timersOf(timers: VirtualTimers): Timers {
  const set =
    (repeats: boolean): SetTimer =>
    (callback, delayMs, ...args) =>
      timers.make(() => callback(...args), delayMs, repeats);
  return {
    setTimeout: set(false),
    setInterval: set(true),
    // Timers that were set before the installation are real ones.
    clear(timer) {
      const own = timer instanceof VirtualTimer ? timer : timers.find(timer);
      if (own) timers.clear(own);
      else REAL.clearTimeout(timer as NodeJS.Timeout);
    },
  };
}

interface Immediates {
  readonly setImmediate: (callback: Callback, ...args: unknown[]) => NodeJS.Immediate;
  readonly clearImmediate: (immediate: NodeJS.Immediate) => void;
}

function immediatesOf(immediates: Set<NodeJS.Immediate>): Immediates {
  return {
    setImmediate(callback, ...args) {
      const immediate = REAL.setImmediate(() => {
        immediates.delete(immediate);
        callback(...args);
      });
      immediates.add(immediate);
      return immediate;
    },
    clearImmediate(immediate) {
      immediates.delete(immediate);
      REAL.clearImmediate(immediate);
    },
  };
}

/** Returns a Date class whose current time is `now`. */
export function makeVirtualDate(now: () => number): typeof Date {
  return new Proxy(REAL.Date, {
    construct: (date, args: unknown[], made: NewableFunction) =>
      Reflect.construct(date, args.length === 0 ? [now()] : args, made) as Date,
    apply: () => new REAL.Date(now()).toString(),
    get: (date, name, at) => (name === "now" ? now : (Reflect.get(date, name, at) as unknown)),
  });
}

/** Returns a promise for a value. Aborting the signal rejects the promise. */
async function promised(
  begin: Begin,
  value: unknown,
  { signal }: SleepOptions = {},
): Promise<unknown> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const cancel = begin(() => {
      signal?.removeEventListener("abort", aborted);
      resolve(value);
    });
    const aborted = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener("abort", aborted, { once: true });
  });
}
