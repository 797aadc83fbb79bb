/**
 * One of those that listen on a node's port: a shard, or main.
 *
 *   closed --open--> opening --it listens--> open
 *     ^               |  ^ |                  |
 *     |               |  +-+ the port is      |
 *     |               |      taken: again     |
 *     +---------------+--------close----------+
 *
 * Runs on: main.
 * Order: one attempt at a time. What it is told to do is carried out in order, so a door that is closed during an
 *        attempt is closed after it.
 * Full: an attempt that fails is repeated every `RETRY_MS`, until the door is closed.
 */

import { setTimeout as pause } from "node:timers/promises";

import type { ListeningPlace } from "../listener-port.ts";

/** Time between attempts to listen on a port that is taken. */
const RETRY_MS = 50;

/** What a door opens and closes. */
export interface Listening {
  /** Listens. @returns false if the port is taken, or it has ended */
  listen(place: ListeningPlace): Promise<boolean>;
  /** Stops listening, also if `listen` has not settled. */
  stopListening(isFull: boolean): void;
}

/** A door. */
export class ListeningDoor {
  readonly #listening: Listening;
  readonly #onChange: () => void;
  #place: ListeningPlace | undefined;
  #isOpen = false;
  #isTrying = false;
  /** Number of the last `open`. */
  #opened = 0;
  /** Resolves with the outcome of the first attempt after the last `open`. */
  #firstAttempt: Promise<boolean> = Promise.resolve(false);
  #attempted: (isOpen: boolean) => void = () => {};

  /** @param onChange - called when it has opened or an attempt has failed */
  constructor(listening: Listening, onChange: () => void) {
    this.#listening = listening;
    this.#onChange = onChange;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Opens it, unless it is open or opening.
   *
   * @returns whether it is open: now, or after the first attempt
   */
  async open(place: ListeningPlace): Promise<boolean> {
    if (this.#isOpen) return true;
    if (!this.#place) {
      this.#place = place;
      this.#opened += 1;
      this.#firstAttempt = new Promise((resolve) => {
        this.#attempted = resolve;
      });
      if (!this.#isTrying) void this.#try();
    }
    return this.#firstAttempt;
  }

  /** Closes it. @param isFull - whether the node has no room for connections that wait */
  close(isFull: boolean): void {
    if (!this.#place) return;
    this.#place = undefined;
    this.#isOpen = false;
    this.#listening.stopListening(isFull);
    this.#attempted(false);
  }

  async #try(): Promise<void> {
    this.#isTrying = true;
    while (this.#place && !this.#isOpen) {
      const opened = this.#opened;
      const isListening = await this.#listening.listen(this.#place);
      // It was closed during the attempt, and may have been opened again since.
      if (!this.#isCurrent(opened)) continue;
      this.#isOpen = isListening;
      this.#attempted(isListening);
      this.#onChange();
      if (!isListening) await pause(RETRY_MS);
    }
    this.#isTrying = false;
  }

  #isCurrent(opened: number): boolean {
    return this.#place !== undefined && this.#opened === opened;
  }
}
