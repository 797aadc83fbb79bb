/**
 * Virtual time, which stands still until a test advances it.
 *
 * While it is installed, it replaces the clocks and timers of the process: setTimeout, setInterval,
 * Date, performance.now, and those of `node:timers` and `node:timers/promises`. It therefore works
 * for all code of an app, without changes to the code. It does not replace process.hrtime,
 * AbortSignal.timeout, files, networks or threads.
 *
 *   off --begin--> standing --pass--> moving --time has passed, or nobody waits--> standing
 *                       ^                  |
 *                       +---- settled <----+ after each timer: promises, ticks and immediates
 *
 * Runs on: the thread of a test.
 * Owns: the process's clocks and timers, while it is installed.
 */

import { syncBuiltinESMExports } from "node:module";
import { performance } from "node:perf_hooks";
import timers from "node:timers";
import timersPromises from "node:timers/promises";

import { invalidOption } from "../definition-checks.ts";
import { REAL, type TestTime, type Wait, type Waiting } from "./real-time.ts";
import { makeVirtualDate, makeVirtualGlobals } from "./virtual-globals.ts";
import { VirtualTimers } from "./virtual-timers.ts";

/** Maximum number of event loop turns to wait for code that keeps setting immediates. */
const MOST_TURNS = 1_000;
/** Minimum number of turns to wait, because some promises of the runtime need a turn to settle. */
const LEAST_TURNS = 2;

/** True while virtual time is installed. */
let isTaken = false;

/** Virtual time. At most one is installed in a process. */
export class VirtualTime implements TestTime {
  readonly #timers = new VirtualTimers();
  readonly #immediates = new Set<NodeJS.Immediate>();
  readonly #startedMs: number;
  readonly #startedAt = REAL.now();
  readonly #restore: (() => void)[] = [];
  #isInstalled = false;
  /** Settles when no call of `pass` is in progress. */
  #moved: Promise<unknown> = Promise.resolve();

  /** @param startsAtMs - first result of `Date.now()` */
  constructor(startsAtMs: number) {
    this.#startedMs = startsAtMs;
  }

  /** Current time, as returned by `Date.now()`. */
  get nowMs(): number {
    return this.#startedMs + this.#timers.nowMs;
  }

  /**
   * Replaces the process's clocks and timers.
   *
   * @throws SIM_ERR_OPTION_INVALID if another virtual time is installed
   */
  begin(): void {
    if (isTaken) {
      const message = "one app at a time must have virtual time, got a second: call closeApp first";
      throw invalidOption(message);
    }
    isTaken = true;
    this.#isInstalled = true;
    const globals = makeVirtualGlobals(this.#timers, this.#immediates);
    for (const [name, value] of Object.entries(globals.timers)) {
      this.#replace(globalThis, name, value);
      this.#replace(timers, name, value);
    }
    for (const [name, value] of Object.entries(globals.promises)) {
      this.#replace(timersPromises, name, value);
    }
    this.#replace(
      globalThis,
      "Date",
      makeVirtualDate(() => this.nowMs),
    );
    this.#replace(performance, "now", () => this.#startedAt + this.#timers.nowMs);
    syncBuiltinESMExports();
  }

  /** Restores the process's clocks and timers. Pending virtual timers never fire. */
  end(): void {
    if (!this.#isInstalled) return;
    this.#isInstalled = false;
    isTaken = false;
    for (const restore of this.#restore.splice(0)) restore();
    syncBuiltinESMExports();
  }

  /**
   * Lets time pass: fires timers one by one, and lets promises settle after each timer.
   *
   * @param isOver - called after each timer; returns true to skip the remaining time
   */
  async pass(durationMs: number, isOver: () => boolean = () => false): Promise<void> {
    const moved = this.#moved.then(async () => this.#pass(durationMs, isOver));
    this.#moved = moved;
    return moved;
  }

  waiting({ timeoutMs = 0, patienceMs }: Wait): Waiting {
    return (over) => {
      let isOver = false;
      let timer: NodeJS.Timeout | undefined;
      const wait = async (): Promise<void> => {
        await this.pass(timeoutMs, () => isOver);
        if (isOver) return;
        if (patienceMs === 0) over();
        else timer = REAL.setTimeout(over, patienceMs);
      };
      void wait();
      return () => {
        isOver = true;
        REAL.clearTimeout(timer);
      };
    };
  }

  shown({ timeoutMs = 0 }: Wait): string {
    return `within ${timeoutMs} (ms) of virtual time`;
  }

  async #pass(durationMs: number, isOver: () => boolean): Promise<void> {
    await this.#settle();
    const untilMs = this.#timers.nowMs + durationMs;
    while (!isOver() && this.#fireNext(untilMs)) await this.#settle();
  }

  /** Fires the next timer. As with any timer, an error becomes an uncaught exception. */
  #fireNext(untilMs: number): boolean {
    try {
      return this.#timers.fireNext(untilMs);
    } catch (error) {
      REAL.setImmediate(() => {
        throw error;
      });
      return true;
    }
  }

  /** Waits until no promise, tick or immediate is pending. */
  async #settle(): Promise<void> {
    for (let turn = 1; turn <= MOST_TURNS; turn += 1) {
      await new Promise((resolve) => {
        REAL.setImmediate(resolve);
      });
      if (turn >= LEAST_TURNS && this.#immediates.size === 0) return;
    }
  }

  #replace(holder: object, name: string, value: unknown): void {
    const before = Object.getOwnPropertyDescriptor(holder, name);
    Object.defineProperty(holder, name, { value, configurable: true, writable: true });
    this.#restore.push(() => {
      if (before) Object.defineProperty(holder, name, before);
      else Reflect.deleteProperty(holder, name);
    });
  }
}
