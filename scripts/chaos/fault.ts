/**
 * A fault: what is done to a server, and what must follow.
 *
 * Runs on: the chaos suite's process.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { Canaries, type CanarySummary } from "../suites/canaries.ts";
import { Served, type ServedSetting } from "./served.ts";

/** A named fault. */
export interface Fault {
  readonly name: string;
  /** What must follow, in a sentence. */
  readonly expectation: string;
  /** Whether it takes less than about 5 s. */
  readonly isQuick: boolean;
  /** Why it cannot be tried here, or undefined if it can. */
  readonly obstacle?: () => string | undefined;
  /** Tries it. Rejects if something else follows. */
  run(trial: Trial): Promise<void>;
}

/** Throws an error unless something is so. */
export function expect(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(what);
}

/**
 * Waits until something is so that no event reports: an answer of the server, asked for again and again.
 *
 * @throws Error that names it after the time
 */
export async function eventually(
  isSo: () => Promise<boolean>,
  what: string,
  withinMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}, after ${withinMs} ms`);
    await sleep(20);
  }
}

/** One run of a fault. Whatever it started is ended with it. */
export class Trial {
  /** Largest p99 of canaries, in ms. Far above 100 ms on a machine that has more to do. */
  readonly maxP99Ms: number;
  readonly #servers: Served[] = [];
  readonly #ends: (() => unknown)[] = [];

  constructor(maxP99Ms: number) {
    this.maxP99Ms = maxP99Ms;
  }

  /** Starts a server that answers. */
  async start(setting: ServedSetting = {}): Promise<Served> {
    const served = await Served.start(setting);
    this.#servers.push(served);
    return served;
  }

  /** Starts a server whose outputs are not read, without waiting for it. */
  async spawn(setting: ServedSetting): Promise<Served> {
    const served = await Served.spawn(setting);
    this.#servers.push(served);
    return served;
  }

  /** Calls a function at the end of the trial. */
  atEnd(end: () => unknown): void {
    this.#ends.push(end);
  }

  /** Starts one canary on each of the two shards. */
  canaries({ port }: Served): Promise<Canaries> {
    return Canaries.start(port, 2);
  }

  /** Checks that canaries were not disturbed at all. */
  async unharmed(canaries: Canaries): Promise<CanarySummary> {
    const summary = await this.undoubled(canaries);
    expect(summary.closes.length === 0, `canaries were closed with ${summary.closes.join(", ")}`);
    expect(summary.unanswered === 0, `${summary.unanswered} canary requests have no answer`);
    expect(
      summary.p99Ms < this.maxP99Ms,
      `the canaries' p99 must be below ${this.maxP99Ms} ms, got ${summary.p99Ms.toFixed(1)} ms`,
    );
    return summary;
  }

  /** Checks that canaries got no wrong answers. They may have been disconnected. */
  async undoubled(canaries: Canaries): Promise<CanarySummary> {
    const summary = await canaries.stop();
    expect(summary.faults.length === 0, `a canary ${summary.faults[0] ?? ""}`);
    expect(summary.answered > 0, "no canary got an answer");
    return summary;
  }

  /** Checks that a server drains and ends with code 0 on SIGTERM. */
  async stops(served: Served, withinMs = 20_000): Promise<void> {
    expect(served.ended === undefined, `the server ended before SIGTERM: ${textOf(served.ended)}`);
    const ended = await served.endBy("SIGTERM", withinMs);
    expect(
      ended?.code === 0,
      `SIGTERM must end the server with code 0 within ${withinMs} ms, got ${textOf(ended)}`,
    );
  }

  /** Ends all that it started. */
  async end(): Promise<void> {
    for (const end of this.#ends) await end();
    for (const served of this.#servers) await served.kill();
  }
}

/** Describes how a process ended. */
export function textOf(ended: Served["ended"]): string {
  if (ended === undefined) return "a process that still runs";
  return ended.signal === null ? `exit code ${ended.code}` : ended.signal;
}
