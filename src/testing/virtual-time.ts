/**
 * Time that stands still until a test moves it.
 *
 * While it is installed, the clocks and timers of the process are its own: setTimeout, setInterval,
 * Date, performance.now, and the same of `node:timers` and `node:timers/promises`. So what an app
 * does with time is in the test's hand, whether it is ours or the user's, and nothing in a server
 * knows of it. Real are still: process.hrtime, AbortSignal.timeout, files, networks, threads.
 *
 *   off --begin--> standing --pass--> moving --it has passed, or nobody waits--> standing
 *                       ^                  |
 *                       +---- settled <----+ after each timer: promises, ticks and immediates
 *
 * Runs on: the thread of a test. Owns: the process's clocks and timers, while it is installed.
 */

import { syncBuiltinESMExports } from "node:module";
import { performance } from "node:perf_hooks";
import timers from "node:timers";
import timersPromises from "node:timers/promises";

import { makeError } from "../errors.ts";
import { REAL, type TestTime, type Wait, type Waiting } from "./real-time.ts";
import { makeVirtualDate, makeVirtualGlobals } from "./virtual-globals.ts";
import { VirtualTimers } from "./virtual-timers.ts";

/** Turns of the loop for which one who sets an immediate in each is waited for. */
const MOST_TURNS = 1_000;
/** Turns that are gone round in any case: what a promise of the runtime settles takes one. */
const LEAST_TURNS = 2;

/** True while some virtual time is that of the process. */
let isTaken = false;

/** A time of its own. There is at most one in a process. */
export class VirtualTime implements TestTime {
  readonly #timers = new VirtualTimers();
  readonly #immediates = new Set<NodeJS.Immediate>();
  readonly #startedMs: number;
  readonly #startedAt = REAL.now();
  readonly #restore: (() => void)[] = [];
  #isInstalled = false;
  /** Settles when nobody moves the time. */
  #moved: Promise<unknown> = Promise.resolve();

  /** @param startsAtMs - what `Date.now()` gives at first */
  constructor(startsAtMs: number) {
    this.#startedMs = startsAtMs;
  }

  /** What `Date.now()` gives. */
  get nowMs(): number {
    return this.#startedMs + this.#timers.nowMs;
  }

  /**
   * Takes the place of the process's clocks and timers.
   *
   * @throws SIM_ERR_OPTION_INVALID where another is there
   */
  begin(): void {
    if (isTaken) {
      const message = "one app at a time must have virtual time, got a second: closeApp ends one";
      throw makeError("SIM_ERR_OPTION_INVALID", message);
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

  /** Gives the process its clocks and timers back. What still waits never fires. */
  end(): void {
    if (!this.#isInstalled) return;
    this.#isInstalled = false;
    isTaken = false;
    for (const restore of this.#restore.splice(0)) restore();
    syncBuiltinESMExports();
  }

  /**
   * Lets time pass: timers fire one by one, and what each causes settles before the next.
   *
   * @param isOver - says, after each timer, that nobody waits for the rest
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

  /** As of any timer, what it throws is nobody's to catch. */
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

  /** Goes round the loop until nothing is left to do that needs no time. */
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
