/**
 * Gives a shard that replaces another two turns of the deal until it has its share of connections.
 *
 * The new thread begins with none, and of those that come back each shard gets the same part; so
 * without this it would stay below the others until clients had come and gone for long.
 *
 *   dealt in: one turn --below the others' mean--> two turns --at the mean, or alone--> one turn
 *
 * Two turns, not more: a shard that is given most of a rush of clients is late for all of them.
 *
 * Runs on: main.
 */

/** Which turns shards have: the acceptor. */
export interface Deal {
  has(descriptor: number): boolean;
  /** Deals to a shard once, or twice in each round. */
  setTurns(descriptor: number, turns: 1 | 2): void;
}

/** A thread in the deal. */
export interface DealtThread {
  readonly descriptor: number | undefined;
  /** Open connections. */
  readonly connections: number;
}

/** Between two looks at the counts. */
const LOOK_MS = 250;

/** The shards that are behind. */
export class Levelling {
  readonly #deal: Deal;
  readonly #serving: () => Iterable<DealtThread>;
  readonly #behind = new Set<DealtThread>();
  #timer: NodeJS.Timeout | undefined;

  /** @param serving - the threads that serve now */
  constructor(deal: Deal, serving: () => Iterable<DealtThread>) {
    this.#deal = deal;
    this.#serving = serving;
  }

  /** Begins for a thread that was just dealt in. */
  begin(thread: DealtThread): void {
    if (thread.descriptor === undefined || this.#isLevel(thread)) return;
    this.#behind.add(thread);
    this.#deal.setTurns(thread.descriptor, 2);
    this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Looks at the counts, and takes back the second turn of those that are level. */
  look(): void {
    for (const thread of this.#behind) {
      const { descriptor } = thread;
      const isDealt = descriptor !== undefined && this.#deal.has(descriptor);
      if (isDealt && !this.#isLevel(thread)) continue;
      this.#behind.delete(thread);
      if (isDealt) this.#deal.setTurns(descriptor, 1);
    }
    if (this.#behind.size === 0) this.stop();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #isLevel(thread: DealtThread): boolean {
    const others = [...this.#serving()].filter((other) => other !== thread);
    const sum = others.reduce((total, other) => total + other.connections, 0);
    return thread.connections * others.length >= sum;
  }
}
