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
  /** Those whose turn it is in this turn of the loop, and how many have had it. */
  #draining: readonly Taker[] = [];
  #done = 0;
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
    this.#draining = takers;
    this.#done = 0;
    try {
      for (const taker of takers) {
        this.#done += 1;
        taker.isScheduled = false;
        this.#current = taker;
        taker.cork(this.#runCurrent);
      }
    } finally {
      // If a member throws, which would be a bug in Simurgh, the others still get their turn.
      this.#resume();
    }
  }

  /**
   * Continues after main has ended a callback, which skips every `finally`, and makes Node.js forget the
   * immediates that were due in the same turn. Called by the shard at the beginning of a turn.
   */
  recover(): void {
    const wasLost = this.#takers.length > 0;
    this.#resume();
    if (wasLost) setImmediate(this.#drain);
  }

  /** Puts back those whose turn has not come. */
  #resume(): void {
    const rest = this.#draining.slice(this.#done);
    this.#draining = [];
    this.#current = undefined;
    if (rest.length === 0) return;
    if (this.#takers.length === 0) setImmediate(this.#drain);
    this.#takers = [...rest, ...this.#takers];
  }
}
