/**
 * Hands broadcasts to listeners, in the order in which they were begun.
 *
 * A listener that broadcasts while it hears something is told, as all others are, when everybody
 * has heard that: else one that comes after it would hear the answer before the question.
 *
 * Runs on: main, shard, link; one for each PubSub.
 */

import type { Listener } from "./registry.ts";

/** Listeners that answer each other without end let the event loop go on after so many. */
const MOST_IN_A_ROW = 1_000;

/** A broadcast for the listeners of its topic, decoded for each of them. */
export interface Telling {
  readonly topic: string;
  readonly event: string;
  readonly listeners: readonly Listener[];
  readonly payloads: readonly unknown[];
  /** Who is left out. */
  readonly from: object | undefined;
}

/** The broadcasts that are still to be told. */
export class Tellings {
  readonly #onError: (error: unknown, topic: string) => void;
  readonly #waiting: Telling[] = [];
  #isTelling = false;

  /** @param onError - is told what a listener threw, and goes on */
  constructor(onError: (error: unknown, topic: string) => void) {
    this.#onError = onError;
  }

  /** Takes a broadcast. It is told by the next `tell`. */
  add(telling: Telling): void {
    this.#waiting.push(telling);
  }

  /** Tells what waits, unless that is being done further up the stack. */
  tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let told = 0; told < MOST_IN_A_ROW; told += 1) {
      const telling = this.#waiting.shift();
      if (!telling) {
        this.#isTelling = false;
        return;
      }
      this.#tellOne(telling);
    }
    setImmediate(() => {
      this.#isTelling = false;
      this.tell();
    });
  }

  #tellOne({ topic, event, listeners, payloads, from }: Telling): void {
    for (const [at, listener] of listeners.entries()) {
      if (listener === from) continue;
      try {
        listener.receive({ topic, event, payload: payloads[at] });
      } catch (error) {
        this.#onError(error, topic);
      }
    }
  }
}
