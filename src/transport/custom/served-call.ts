/**
 * A call that a custom transport's handler is serving.
 *
 * Runs on: shard; one instance for each call.
 */

import type { TransportCall } from "./definition.ts";

/** Takes the answer to a call. */
export type Answer = (status: number, body: Uint8Array) => void;

const NO_BYTES = new Uint8Array(0);

/** A call that is being served. */
export class ServedCall implements TransportCall {
  /** Time until which the caller waits (ms, as `performance.now`). */
  readonly untilMs: number;
  readonly #answer: Answer;
  readonly #onEnded: (call: ServedCall) => void;
  #abort: AbortController | undefined = undefined;
  #isEnded = false;
  #isAborted = false;

  constructor(untilMs: number, answer: Answer, onEnded: (call: ServedCall) => void) {
    this.untilMs = untilMs;
    this.#answer = answer;
    this.#onEnded = onEnded;
  }

  /** Created when it is first used, because most handlers do not use it. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#isAborted) this.#abort.abort();
    return this.#abort.signal;
  }

  /** True once it was answered, or the caller no longer waits. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Answers the call. Without a body, the answer is not from the handler, whose signal is then aborted. */
  end(status: number, body?: Uint8Array): void {
    if (this.#isEnded) return;
    if (!body) this.#stop();
    this.#finish();
    this.#answer(status, body ?? NO_BYTES);
  }

  /** Ends the call because its caller no longer waits. */
  abort(): void {
    if (this.#isEnded) return;
    this.#finish();
    this.#stop();
  }

  #finish(): void {
    this.#isEnded = true;
    this.#onEnded(this);
  }

  #stop(): void {
    this.#isAborted = true;
    this.#abort?.abort();
  }
}
