/**
 * A queue of decoded changes, which are published batch by batch.
 *
 * Runs on: shard, if it leads.
 * Full:    `isFull` says so; the stream is then paused. What was read already is still taken.
 */

import type { SourceSettings } from "./options.ts";
import type { Decoded } from "./replication-decoder.ts";

/** A change, or the end of a transaction, that waits to be published. */
export interface WaitingChange {
  readonly decoded: Decoded;
  readonly bytes: number;
}

/** Changes that wait to be published. */
export class ChangeQueue {
  readonly #maxInFlight: number;
  readonly #maxBytes: number;
  #waiting: WaitingChange[] = [];
  #bytes = 0;
  #isPublishing = false;
  #wake: (() => void) | undefined = undefined;

  constructor({ maxInFlight, batchBytes }: SourceSettings) {
    this.#maxInFlight = maxInFlight;
    this.#maxBytes = batchBytes;
  }

  get isFull(): boolean {
    return this.#waiting.length >= this.#maxInFlight || this.#bytes >= this.#maxBytes;
  }

  /** True if nothing waits and nothing is being published. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && !this.#isPublishing;
  }

  push(waiting: WaitingChange): void {
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
    this.wake();
  }

  /** Takes everything that waits. */
  take(): readonly WaitingChange[] {
    const taken = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    this.#isPublishing = taken.length > 0;
    return taken;
  }

  /** Notes that what was taken has been published. */
  published(): void {
    this.#isPublishing = false;
  }

  /** Resolves when something waits, or `wake` is called. */
  async filled(): Promise<void> {
    if (this.#waiting.length > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
