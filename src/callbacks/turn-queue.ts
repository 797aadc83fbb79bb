/**
 * Channels and raw sockets whose mailboxes are handled once the loop has read all pending input.
 *
 * All of them share one immediate. The frames that a member sends in its turn leave together.
 *
 * Runs on: shard.
 */

/** A member of the queue. */
export interface TurnTaker {
  /** True while the member is in the queue. Written by the queue only. */
  isScheduled: boolean;
  /** Runs `work` so that the frames it sends leave together. */
  cork(work: () => void): void;
}

/** A queue that is handled at the end of the loop's turn. */
export class TurnQueue<Taker extends TurnTaker> {
  readonly #run: (taker: Taker) => void;
  readonly #drain = (): void => this.#drainAll();
  readonly #runCurrent = (): void => {
    if (this.#current) this.#run(this.#current);
  };
  #takers: Taker[] = [];
  #current: Taker | undefined;

  /** @param run - handles the mailbox of one member */
  constructor(run: (taker: Taker) => void) {
    this.#run = run;
  }

  /** Adds a member, unless it is in the queue already. */
  add(taker: Taker): void {
    if (taker.isScheduled) return;
    taker.isScheduled = true;
    this.#takers.push(taker);
    if (this.#takers.length === 1) setImmediate(this.#drain);
  }

  #drainAll(): void {
    const takers = this.#takers;
    this.#takers = [];
    let done = 0;
    try {
      for (const taker of takers) {
        done += 1;
        taker.isScheduled = false;
        this.#current = taker;
        taker.cork(this.#runCurrent);
      }
    } finally {
      this.#current = undefined;
      // If a member throws, which would be a bug in Simurgh, the others still get their turn.
      if (done < takers.length) this.#resume(takers.slice(done));
    }
  }

  #resume(takers: readonly Taker[]): void {
    if (this.#takers.length === 0) setImmediate(this.#drain);
    this.#takers = [...takers, ...this.#takers];
  }
}
