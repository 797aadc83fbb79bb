/**
 * Ends all connections of a transport in batches, so that their clients do not all come back at once.
 *
 *   open --its batch is due, all is sent--> ended with 1012
 *     |
 *     +--its batch is due, bytes are unsent--> leaving --they are taken--> ended with 1012
 *                                                 +------the deadline----> cut
 *
 * Whoever plans a drain says into how many rounds it is split, the same for all transports of all
 * shards; each ends its share of its own connections in each round, and knows nothing of the others.
 *
 * Runs on: shard; once in the life of each transport.
 * Full: a client that does not take its last bytes is cut `deadlineMs` after the last batch.
 */

import { telemetry } from "../telemetry.ts";

/** How fast connections are ended. */
export interface DrainPace {
  /** Batches that the connections are split into; at least 1. */
  readonly rounds: number;
  /** From the beginning of one batch to that of the next. */
  readonly intervalMs: number;
  /** Time over which those of a batch are ended, at random moments; 0: all at once. */
  readonly spreadMs: number;
  /** Time for a client to take its last bytes, from the last batch on. */
  readonly deadlineMs: number;
  /** False if the other shards go on, and clients may go there. */
  readonly isOfNode: boolean;
}

/** What became of the connections that there were. */
export interface DrainCounts {
  readonly connections: number;
  /** Ended with the code that tells the client to come back. */
  readonly closed: number;
  /** Cut, with bytes unsent. The others went by themselves. */
  readonly cut: number;
}

/** What a drain needs of a connection. */
export interface Drainable {
  readonly bufferedBytes: number;
}

/** The ways in which a drain ends a connection. */
export interface DrainEnds<C> {
  /** Ends it with the code that tells its client to come back. */
  restart(connection: C): void;
  /** Ends the connection of a client that takes nothing. */
  cut(connection: C): void;
}

/** The time and the chance that a drain goes by. */
export interface DrainClock {
  /** Returns the time (ms), from any beginning. */
  now(): number;
  /** Returns a random number from 0 to 1, without 1. */
  random(): number;
}

/** Connections that are ended before others get a turn. */
const CLOSES_PER_TURN = 500;
/** Moments within a batch are this far apart. */
const SLOT_MS = 10;
const CLOCK: DrainClock = { now: () => performance.now(), random: () => Math.random() };

/** The drain of one transport's connections. */
export class Drain<C extends Drainable> {
  readonly #transport: string;
  readonly #connections: ReadonlySet<C>;
  readonly #ends: DrainEnds<C>;
  readonly #clock: DrainClock;
  readonly #leaving = new Set<C>();
  #pace: DrainPace | undefined;
  #drained: Promise<DrainCounts> | undefined;
  #onEmpty: () => void = () => {};
  #endPause: () => void = () => {};
  #areAllDue = false;
  #deadline: NodeJS.Timeout | undefined;
  #closed = 0;
  #cut = 0;

  /**
   * @param transport - its name, for telemetry
   * @param connections - those that are open, now and later
   */
  constructor(
    transport: string,
    connections: ReadonlySet<C>,
    ends: DrainEnds<C>,
    clock: DrainClock = CLOCK,
  ) {
    this.#transport = transport;
    this.#connections = connections;
    this.#ends = ends;
    this.#clock = clock;
  }

  /**
   * Ends all connections; resolves when none is left. Called again, those that are left go at the
   * new pace.
   */
  async run(pace: DrainPace): Promise<DrainCounts> {
    this.#pace = pace;
    if (this.#drained) {
      this.#endPause();
      if (this.#areAllDue) this.#setDeadline(pace);
    }
    this.#drained ??= this.#run(pace);
    return this.#drained;
  }

  /** Ends all that are left at once. Clients that have taken all their bytes are told the code. */
  endAll(): void {
    this.#endPause();
    for (const connection of this.#connections) {
      if (connection.bufferedBytes === 0) this.#restart(connection);
      else this.#cutOff(connection);
    }
  }

  /** Ends a connection that was leaving, if its client has now taken everything. */
  taken(connection: C): void {
    if (connection.bufferedBytes === 0 && this.#leaving.has(connection)) this.#restart(connection);
  }

  /** Forgets a connection that ended. */
  closed(connection: C): void {
    this.#leaving.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty();
  }

  /** Connections whose batch was not due so far. */
  get #notDue(): number {
    return this.#connections.size - this.#leaving.size;
  }

  async #run(first: DrainPace): Promise<DrainCounts> {
    const connections = this.#connections;
    const total = connections.size;
    this.#closed = 0;
    this.#cut = 0;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    let pace: DrainPace;
    do {
      pace = this.#pace ?? first;
      await this.#endBatches(pace);
    } while (pace !== this.#pace);
    this.#areAllDue = true;
    if (connections.size > 0) {
      this.#setDeadline(pace);
      await empty;
      clearTimeout(this.#deadline);
    }
    return { connections: total, closed: this.#closed, cut: this.#cut };
  }

  /** Ends the connections that are not due yet, round by round, until the pace changes. */
  async #endBatches(pace: DrainPace): Promise<void> {
    const { rounds, intervalMs } = pace;
    const total = this.#notDue;
    let startMs = this.#clock.now();
    for (let index = 0; index < rounds && this.#notDue > 0; index += 1) {
      if (index > 0 && pace === this.#pace) await this.#pauseUntil(startMs + intervalMs);
      if (pace !== this.#pace) return;
      startMs = this.#clock.now();
      const isLast = index === rounds - 1;
      const planned = dueAfter(index, rounds, total) - dueAfter(index - 1, rounds, total);
      const count = isLast ? this.#notDue : Math.min(planned, this.#notDue);
      if (count === 0) continue;
      this.#report({ count, total, index, rounds });
      await this.#endBatch(pace, count, startMs);
    }
  }

  /** Ends the connections of one batch, each at its moment. */
  async #endBatch(pace: DrainPace, count: number, startMs: number): Promise<void> {
    const moments = this.#momentsOf(count, pace.spreadMs);
    for (const [slot, some] of moments.entries()) {
      if (some === 0) continue;
      if (slot > 0) await this.#pauseUntil(startMs + slot * SLOT_MS);
      if (pace !== this.#pace) return;
      await this.#endSome(some);
    }
  }

  /** Draws a moment for each of so many connections; gives how many there are at each. */
  #momentsOf(count: number, spreadMs: number): Uint32Array {
    const moments = new Uint32Array(Math.max(1, Math.floor(spreadMs / SLOT_MS)));
    for (let drawn = 0; drawn < count; drawn += 1) {
      const slot = Math.floor(this.#clock.random() * moments.length);
      moments[slot] = (moments[slot] as number) + 1;
    }
    return moments;
  }

  async #endSome(count: number): Promise<void> {
    let done = 0;
    // The set as it is at each step: those that have ended meanwhile are passed over.
    for (const connection of this.#connections) {
      if (this.#leaving.has(connection)) continue;
      if (connection.bufferedBytes === 0) this.#restart(connection);
      else this.#leaving.add(connection);
      done += 1;
      if (done === count) return;
      if (done % CLOSES_PER_TURN === 0) await nextTurn();
    }
  }

  #restart(connection: C): void {
    this.#closed += 1;
    this.#ends.restart(connection);
  }

  #cutOff(connection: C): void {
    this.#cut += 1;
    this.#ends.cut(connection);
  }

  /** In Phoenix's words: this batch of so many has `count` of the `total`. */
  #report(batch: DrainBatch): void {
    if (!telemetry.socket_drain.hasSubscribers) return;
    telemetry.socket_drain.publish({ transport: this.#transport, ...batch });
  }

  #setDeadline({ deadlineMs }: DrainPace): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.endAll(), deadlineMs);
  }

  async #pauseUntil(atMs: number): Promise<void> {
    const pauseMs = atMs - this.#clock.now();
    // Behind time: others get their turn all the same.
    if (pauseMs <= 0) return nextTurn();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      this.#endPause = (): void => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

interface DrainBatch {
  readonly count: number;
  readonly total: number;
  readonly index: number;
  readonly rounds: number;
}

/** Returns how many of `total` are ended once a round is over: each round has an even share. */
function dueAfter(index: number, rounds: number, total: number): number {
  return Math.ceil(((index + 1) * total) / rounds);
}

async function nextTurn(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
}
