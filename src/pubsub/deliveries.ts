/**
 * Broadcasts that wait for delivery to listeners, in order.
 *
 * If a listener broadcasts, that broadcast is delivered only after all listeners have received the current one.
 * Otherwise a later listener would receive the answer before the question.
 *
 * Runs on: main, shard; one for each.
 */

import type { Listener } from "./registry.ts";

/**
 * Maximum deliveries before yielding to the event loop, even if listeners answer each other
 * endlessly.
 */
const MOST_IN_A_ROW = 1_000;

/** A broadcast for the listeners of its topic, decoded for each of them. */
export interface Delivery {
  readonly topic: string;
  readonly event: string;
  readonly listeners: readonly Listener[];
  readonly payloads: readonly unknown[];
  /** Length of the encoded payload. */
  readonly bytes: number;
  /** The listener to exclude. */
  readonly from: object | undefined;
  /** Position in the topic's history; 0 if the broadcast is not kept. */
  readonly position: number;
}

/** The broadcasts that wait on a thread. */
export class Deliveries {
  readonly #onError: (error: unknown, topic: string) => void;
  readonly #waiting: Delivery[] = [];
  #isRunning = false;
  /** The delivery under way, and how many of its listeners were called. */
  #current: Delivery | undefined = undefined;
  #called = 0;

  /**
   * @param onError - called with errors thrown by listeners; the others still receive the broadcast
   */
  constructor(onError: (error: unknown, topic: string) => void) {
    this.#onError = onError;
  }

  /** Adds a broadcast for the next `run`. */
  add(delivery: Delivery): void {
    this.#waiting.push(delivery);
  }

  /** Delivers the waiting broadcasts, unless a call further up the stack is already doing so. */
  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let done = 0; done < MOST_IN_A_ROW; done += 1) {
      const delivery = this.#waiting.shift();
      if (!delivery) {
        this.#isRunning = false;
        return;
      }
      this.#current = delivery;
      this.#called = 0;
      this.#deliver(delivery);
    }
    setImmediate(() => {
      this.#isRunning = false;
      this.run();
    });
  }

  /** Continues after main has ended what a listener had called (`shard/forced-end`). */
  recover(): void {
    if (this.#current) this.#deliver(this.#current);
    this.#isRunning = false;
    this.run();
  }

  #deliver({ topic, event, listeners, payloads, bytes, from, position }: Delivery): void {
    const kept = position > 0 ? { offset: String(position) } : {};
    for (let at = this.#called; at < listeners.length; at += 1) {
      const listener = listeners[at];
      this.#called = at + 1;
      if (listener === undefined || listener === from) continue;
      try {
        listener.receive({ topic, event, payload: payloads[at], ...kept }, bytes);
      } catch (error) {
        this.#onError(error, topic);
      }
    }
    this.#current = undefined;
  }
}
