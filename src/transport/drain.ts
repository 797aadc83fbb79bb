/**
 * Ends all connections of a shard in batches, so that their clients do not all come back at once.
 *
 *   open --its batch is due, all is sent--> ended with 1012
 *     |
 *     +--its batch is due, bytes are unsent--> leaving --they are taken--> ended with 1012
 *                                                 +------the deadline----> cut
 *
 * Runs on: shard; once in its life.
 * Full: a client that does not take its last bytes is cut `deadlineMs` after the last batch.
 */

import { telemetry } from "../telemetry.ts";

/** How fast connections are ended. */
export interface DrainPace {
  /** Connections of one batch; Infinity: all at once. */
  readonly batch: number;
  /** From one batch to the next. */
  readonly intervalMs: number;
  /** Time for a client to take its last bytes, from the last batch on. */
  readonly deadlineMs: number;
}

/** What a drain needs of a connection. */
export interface Drainable {
  readonly bufferedBytes: number;
}

/** What a drain does with the connections of a transport. */
export interface DrainActions<C> {
  /** Ends one with the code that tells its client to come back. */
  restart(connection: C): void;
  /** Ends all that are left at once. */
  cutAll(): void;
}

/** Connections that are ended before others get a turn. */
const CLOSES_PER_TURN = 500;

/** The drain of one shard's connections. */
export class Drain<C extends Drainable> {
  readonly #connections: ReadonlySet<C>;
  readonly #actions: DrainActions<C>;
  readonly #leaving = new Set<C>();
  #pace: DrainPace | undefined;
  #drained: Promise<void> | undefined;
  #onEmpty: () => void = () => {};
  #endPause: () => void = () => {};
  #areAllDue = false;
  #deadline: NodeJS.Timeout | undefined;

  /** @param connections - those that are open, now and later */
  constructor(connections: ReadonlySet<C>, actions: DrainActions<C>) {
    this.#connections = connections;
    this.#actions = actions;
  }

  /** True from the first call of `run` on: who comes now came too late. */
  get hasBegun(): boolean {
    return this.#drained !== undefined;
  }

  /** Ends all connections; resolves when none is left. Called again, it goes on at the new pace. */
  async run(pace: DrainPace): Promise<void> {
    this.#pace = pace;
    if (this.#drained) {
      this.#endPause();
      if (this.#areAllDue) this.#setDeadline();
    }
    this.#drained ??= this.#run();
    return this.#drained;
  }

  /** Is told that a client took some of what was unsent. */
  taken(connection: C): void {
    if (connection.bufferedBytes === 0 && this.#leaving.delete(connection)) {
      this.#actions.restart(connection);
    }
  }

  /** Is told that a connection ended. */
  closed(connection: C): void {
    this.#leaving.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty();
  }

  async #run(): Promise<void> {
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    if (this.#connections.size === 0) return;
    await this.#endBatches();
    this.#areAllDue = true;
    this.#setDeadline();
    if (this.#connections.size > 0) await empty;
    clearTimeout(this.#deadline);
  }

  async #endBatches(): Promise<void> {
    const total = this.#connections.size;
    let index = 0;
    let done = 0;
    let count = 0;
    this.#report(total, index, done);
    // The set as it is at each step: those that have ended meanwhile are passed over.
    for (const connection of this.#connections) {
      if (count >= (this.#pace?.batch ?? 0)) {
        await this.#pause();
        index += 1;
        count = 0;
        this.#report(total, index, done);
        // It may have ended by itself within the pause.
        if (!this.#connections.has(connection)) continue;
      }
      if (connection.bufferedBytes === 0) this.#actions.restart(connection);
      else this.#leaving.add(connection);
      count += 1;
      done += 1;
      if (count % CLOSES_PER_TURN === 0) await nextTurn();
    }
  }

  /** In Phoenix's words: this batch of so many has `count` of the `total`. */
  #report(total: number, index: number, done: number): void {
    if (!telemetry.socket_drain.hasSubscribers) return;
    const batch = this.#pace?.batch ?? total;
    const count = Math.min(batch, total - done);
    const rounds = Math.max(index + 1, Math.ceil(total / batch));
    telemetry.socket_drain.publish({ count, total, index, rounds });
  }

  #setDeadline(): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#actions.cutAll(), this.#pace?.deadlineMs);
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#pace?.intervalMs);
      this.#endPause = (): void => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

async function nextTurn(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
}
