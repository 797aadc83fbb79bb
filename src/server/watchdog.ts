/**
 * Watches the heartbeats of all shards, and finds those whose event loops do not turn.
 *
 *   turning --no beat for `stallMs`--> stuck --a beat--> turning
 *                                      | ^
 *                                      +-+ no beat for another `stallMs`
 *
 * Runs on: main. Also stores the time that shards measure their callbacks with.
 * Owns: `MemberThread.isStuck`.
 *
 * Time is counted in checks, not read from a clock. While main itself is blocked, or the whole process is
 * stopped (SIGSTOP, a debugger), no checks are made. So such a pause does not count as missed beats.
 */

import { monotonicMs } from "../limits/clock.ts";
import { BEAT_MS, TICK_MS } from "../memory/life-layout.ts";
import type { Life } from "../memory/life.ts";

/** A thread with a heartbeat. */
export interface WatchedThread {
  readonly member: number;
  isStuck: boolean;
}

/** What the watchdog finds. */
export interface WatchdogEvents<Thread> {
  /** A thread is stuck. */
  onStuck(thread: Thread): void;
  /** A stuck thread has not turned for another `stallMs`. */
  onStillStuck(thread: Thread): void;
  /** A stuck thread turns again. */
  onTurning(thread: Thread, forMs: number): void;
  /** All threads have been stuck for 30 times `stallMs`. Called with each check from then on. */
  onAllStuck(forMs: number): void;
}

/** The heartbeat of one thread, as seen so far. */
interface Seen {
  beats: number;
  /** Consecutive checks without a new beat. */
  checks: number;
}

const CHECK_MS = BEAT_MS;
const TICKS_PER_CHECK = CHECK_MS / TICK_MS;
/** All shards must be stuck for this many times `stallMs` until the server has failed. */
const FAILED_STALLS = 30;

/** The watchdog of a server. */
export class Watchdog<Thread extends WatchedThread> {
  readonly #life: Life;
  readonly #stallChecks: number;
  readonly #threads: () => readonly Thread[];
  readonly #events: WatchdogEvents<Thread>;
  readonly #seen = new WeakMap<Thread, Seen>();
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;

  /** @param threads - returns the threads to watch: those that are ready and have not closed */
  constructor(
    life: Life,
    stallMs: number,
    threads: () => readonly Thread[],
    events: WatchdogEvents<Thread>,
  ) {
    this.#life = life;
    this.#stallChecks = Math.ceil(stallMs / CHECK_MS);
    this.#threads = threads;
    this.#events = events;
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Returns how long a thread's event loop has been blocked (ms). */
  stillMs(thread: Thread): number {
    return (this.#seen.get(thread)?.checks ?? 0) * CHECK_MS;
  }

  /** Reports whether a thread has not beaten since the last check. */
  isStill(thread: Thread): boolean {
    return this.#seen.get(thread)?.beats === this.#life.beats(thread.member);
  }

  /** Looks at all heartbeats once. Called every BEAT_MS. */
  check(): void {
    const threads = this.#threads();
    for (const thread of threads) this.#look(thread);
    const limitMs = this.#stallChecks * FAILED_STALLS * CHECK_MS;
    const hasFailed = threads.every((thread) => this.stillMs(thread) >= limitMs);
    if (threads.length > 0 && hasFailed) this.#events.onAllStuck(limitMs);
  }

  #tick(): void {
    this.#life.tick(monotonicMs());
    this.#ticks += 1;
    if (this.#ticks % TICKS_PER_CHECK === 0) this.check();
  }

  #look(thread: Thread): void {
    const beats = this.#life.beats(thread.member);
    const seen = this.#seen.get(thread);
    if (!seen) {
      this.#seen.set(thread, { beats, checks: 0 });
      return;
    }
    if (seen.beats === beats) {
      seen.checks += 1;
      if (seen.checks % this.#stallChecks !== 0) return;
      if (thread.isStuck) {
        this.#events.onStillStuck(thread);
        return;
      }
      thread.isStuck = true;
      this.#events.onStuck(thread);
      return;
    }
    const forMs = this.stillMs(thread);
    seen.beats = beats;
    seen.checks = 0;
    if (!thread.isStuck) return;
    thread.isStuck = false;
    this.#events.onTurning(thread, forMs);
  }
}
