/**
 * The asynchronous callbacks that have not settled, and how long they have had.
 *
 * Runs on: shard. A channel is awaited at most once at a time.
 */

import type { Channel } from "./channel.ts";

/** True for a promise, and for anything that wants to be taken for one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}

/** Waits for callbacks of channels. */
export class AsyncCalls {
  readonly #timeoutMs: number;
  readonly #channels = new Set<Channel>();

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
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
    this.#channels.add(channel);
    const goOn = (next: (value: unknown) => void) => (value: unknown) => {
      if (channel.run !== run) return;
      this.forget(channel);
      next(value);
    };
    promise.then(goOn(settled), goOn(failed));
  }

  /** Ignores whatever the channel's callback still gives. */
  forget(channel: Channel): void {
    channel.run += 1;
    channel.isBusy = false;
    this.#channels.delete(channel);
  }

  /** Forgets, and gives, the channels whose callback had more than its time. */
  takeExpired(nowMs: number): Channel[] {
    const expired: Channel[] = [];
    for (const channel of this.#channels) {
      if (nowMs - channel.busySince >= this.#timeoutMs) expired.push(channel);
    }
    for (const channel of expired) this.forget(channel);
    return expired;
  }
}
