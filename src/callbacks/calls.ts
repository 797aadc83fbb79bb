/**
 * The asynchronous callbacks that have not settled, and how long they have had.
 *
 * Runs on: shard. A channel, or a raw socket, is awaited at most once at a time.
 * Full: a callback beyond its time counts as failed; what it gives later is ignored. A join has a
 *       time of its own: the channel's, or the server's.
 */

import { makeError } from "../errors.ts";

/** True for a promise, and for anything that wants to be taken for one. Never throws. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== "object" || value === null) return false;
  try {
    return "then" in value && typeof value.then === "function";
  } catch {
    // A getter of the user's. What it stands in is no result of any kind then.
    return false;
  }
}

/**
 * Gives what a callback's promise settles with, of one that belongs to no channel.
 *
 * @throws what it rejects with; SIM_ERR_HANDLER_TIMEOUT where it does not settle in time
 */
export async function settledInTime(
  promise: PromiseLike<unknown>,
  timeoutMs: number,
): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // It keeps no thread alive that has closed meanwhile.
    timer = setTimeout(() => reject(timeoutError(timeoutMs)), timeoutMs).unref();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for nothing of what a callback gave; what it throws later is no uncaught exception. */
export function ignoreOutcome(result: unknown): void {
  if (isThenable(result)) Promise.resolve(result).then(ignore, ignore);
}

function ignore(): void {}

function joinTimeoutError(timeoutMs: number): Error {
  return makeError("SIM_ERR_JOIN_TIMEOUT", `a join must settle within ${timeoutMs} (ms)`);
}

function timeoutError(timeoutMs: number): Error {
  const message = `a callback must settle within ${timeoutMs} (ms)`;
  return makeError("SIM_ERR_HANDLER_TIMEOUT", message);
}

/** Whose callbacks are awaited, one at a time. These fields are written here only. */
export interface Callee {
  /** True while a callback has not settled. */
  isBusy: boolean;
  busySince: number;
  /** Number of the callback that is awaited; what settles under another is ignored. */
  run: number;
}

interface Call {
  readonly isJoin: boolean;
  readonly limitMs: number;
  readonly failed: (error: unknown) => void;
}

/** Waits for callbacks. */
export class AsyncCalls {
  readonly #timeoutMs: number;
  /** By callee: how long its callback may take, and what to do when that fails. */
  readonly #calls = new Map<Callee, Call>();

  /** @param timeoutMs - time that a callback may take, unless it is a join */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Marks a callee busy until the promise settles, then goes on with one of two continuations.
   * Neither is called once the callee was forgotten: user code may settle whenever it likes.
   *
   * @param joinMs - of a join: time that it may take
   */
  await(
    callee: Callee,
    promise: PromiseLike<unknown>,
    settled: (value: unknown) => void,
    failed: (error: unknown) => void,
    joinMs?: number,
  ): void {
    callee.run += 1;
    const { run } = callee;
    callee.isBusy = true;
    callee.busySince = performance.now();
    const isJoin = joinMs !== undefined;
    this.#calls.set(callee, { isJoin, limitMs: joinMs ?? this.#timeoutMs, failed });
    const goOn = (next: (value: unknown) => void) => (value: unknown) => {
      if (callee.run !== run) return;
      this.forget(callee);
      next(value);
    };
    // Through a promise of our own: a thenable of the user's may throw, or call back at once.
    Promise.resolve(promise).then(goOn(settled), goOn(failed));
  }

  /** Ignores whatever the callee's callback still gives. */
  forget(callee: Callee): void {
    callee.run += 1;
    callee.isBusy = false;
    this.#calls.delete(callee);
  }

  /** Fails the callbacks that had more than their time. */
  expire(nowMs: number): void {
    const expired = [...this.#calls].filter(
      ([callee, { limitMs }]) => nowMs - callee.busySince >= limitMs,
    );
    for (const [callee, { isJoin, limitMs, failed }] of expired) {
      this.forget(callee);
      failed(isJoin ? joinTimeoutError(limitMs) : timeoutError(limitMs));
    }
  }
}
