/**
 * The asynchronous callbacks that have not settled, and how long they have had.
 *
 * Runs on: shard. A channel is awaited at most once at a time.
 * Full: a callback beyond its time counts as failed; what it gives later is ignored. A join has a
 *       time of its own: the channel's, or the server's.
 */

import { makeError } from "../errors.ts";
import type { Channel } from "./channel.ts";
import { STATE } from "./channel-state.ts";

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

/** Waits for callbacks of channels. */
export class AsyncCalls {
  readonly #timeoutMs: number;
  readonly #joinTimeoutMs: number;
  /** By channel: what to do when its callback fails. */
  readonly #failures = new Map<Channel, (error: unknown) => void>();

  constructor(timeoutMs: number, joinTimeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#joinTimeoutMs = joinTimeoutMs;
  }

  /**
   * Marks a channel busy until the promise settles, then goes on with one of two continuations.
   * Neither is called once the channel was forgotten: user code may settle whenever it likes.
   */
  await(
    channel: Channel,
    promise: PromiseLike<unknown>,
    settled: (value: unknown) => void,
    failed: (error: unknown) => void,
  ): void {
    channel.run += 1;
    const { run } = channel;
    channel.isBusy = true;
    channel.busySince = performance.now();
    this.#failures.set(channel, failed);
    const goOn = (next: (value: unknown) => void) => (value: unknown) => {
      if (channel.run !== run) return;
      this.forget(channel);
      next(value);
    };
    // Through a promise of our own: a thenable of the user's may throw, or call back at once.
    Promise.resolve(promise).then(goOn(settled), goOn(failed));
  }

  /** Ignores whatever the channel's callback still gives. */
  forget(channel: Channel): void {
    channel.run += 1;
    channel.isBusy = false;
    this.#failures.delete(channel);
  }

  /** Fails the callbacks that had more than their time. */
  expire(nowMs: number): void {
    const expired = [...this.#failures].filter(
      ([channel]) => nowMs - channel.busySince >= this.#limitOf(channel),
    );
    for (const [channel, failed] of expired) {
      const limitMs = this.#limitOf(channel);
      const isJoin = channel.state === STATE.joining;
      this.forget(channel);
      failed(isJoin ? joinTimeoutError(limitMs) : timeoutError(limitMs));
    }
  }

  /** While a channel joins, its join is what it waits for. */
  #limitOf({ state, definition }: Channel): number {
    if (state !== STATE.joining) return this.#timeoutMs;
    return definition.joinTimeoutMs ?? this.#joinTimeoutMs;
  }
}
