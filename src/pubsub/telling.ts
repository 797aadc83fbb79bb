/**
 * Hands broadcasts to listeners, in the order in which they were begun.
 *
 * What a listener broadcasts while it hears something is handed on when everybody has heard that:
 * else a listener that comes after it would hear the answer before the question.
 *
 * Runs on: main, shard; one for each PubSub.
 */

import type { Listener } from "./registry.ts";

/** After so many, listeners that answer each other without end let the event loop go on. */
const MOST_IN_A_ROW = 1_000;

/** A broadcast for the listeners of its topic, decoded for each of them. */
export interface Telling {
  readonly topic: string;
  readonly event: string;
  readonly listeners: readonly Listener[];
  readonly payloads: readonly unknown[];
  /** The listener to leave out. */
  readonly from: object | undefined;
}

/** The broadcasts that are still to be handed on. */
export class Tellings {
  readonly #onError: (error: unknown, topic: string) => void;
  readonly #waiting: Telling[] = [];
  #isTelling = false;

  /** @param onError - called with what a listener threw; the others are told all the same */
  constructor(onError: (error: unknown, topic: string) => void) {
    this.#onError = onError;
  }

  /** Takes a broadcast, for the next `tell`. */
  add(telling: Telling): void {
    this.#waiting.push(telling);
  }

  /** Hands on what waits, unless a call further up the stack is doing that. */
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
