/**
 * Shows main that this shard's event loop turns.
 *
 * Runs on: shard.
 */

import { BEAT_MS } from "../memory/life-layout.ts";
import type { Life } from "../memory/life.ts";

/** The heartbeat of one shard. */
export class Heartbeat {
  readonly #life: Life;
  readonly #member: number;
  readonly #onTurn: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param onTurn - called with each beat, at the beginning of a turn */
  constructor(life: Life, member: number, onTurn: () => void) {
    this.#life = life;
    this.#member = member;
    this.#onTurn = onTurn;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#life.beat(this.#member);
      this.#onTurn();
    }, BEAT_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
