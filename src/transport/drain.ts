/**
 * Ends all connections of a transport in batches, so that their clients do not all reconnect at once.
 *
 *   open --batch due, nothing unsent--> ended with 1012
 *     |
 *     +--batch due, bytes unsent--> leaving --client reads them--> ended with 1012
 *                                      +--------deadline---------> cut
 *
 * The main thread splits a drain into rounds, the same for all transports of all shards. In each
 * round every transport ends the same share of its connections, without coordinating with the
 * others.
 *
 * Runs on: shard; once in the life of each transport.
 * Full: a client that does not read its last bytes is cut `deadlineMs` after the last batch.
 * Stuck: if main ends what a connection's end has called (`shard/forced-end`), the functions below do not go on. After
 *       `recover`, another `run` ends the connections that remain, in the rounds that remain.
 */

import { telemetry } from "../telemetry.ts";

/** The pace at which connections are ended. */
export interface DrainPace {
  /** Number of batches into which the connections are split; at least 1. */
  readonly rounds: number;
  /** Time from the start of one batch to the start of the next. */
  readonly intervalMs: number;
  /** Time over which a batch is spread, each connection at a random moment; 0: all at once. */
  readonly spreadMs: number;
  /** Time after the last batch in which clients may read their last bytes. */
  readonly deadlineMs: number;
  /**
   * True if the whole node is draining; false if clients may reconnect to other shards of the node.
   */
  readonly isOfNode: boolean;
}

/** Counts of the ended connections. Connections in neither count were closed by their clients. */
export interface DrainCounts {
  readonly connections: number;
  /** Ended with the code that tells the client to reconnect. */
  readonly closed: number;
  /** Cut with bytes unsent. */
  readonly cut: number;
}

/** The part of a connection that a drain uses. */
export interface Drainable {
  readonly bufferedBytes: number;
}

/** The ways in which a drain ends a connection. */
export interface DrainEnds<C> {
  /** Ends a connection with the close code that makes its client reconnect. */
  restart(connection: C): void;
  /** Ends the connection of a client that does not read. */
  cut(connection: C): void;
}

/** The clock and the random numbers of a drain; tests pass their own. */
export interface DrainClock {
  /** Returns a monotonic time in milliseconds. */
  now(): number;
  /** Returns a random number in [0, 1). */
  random(): number;
}

/** Maximum number of connections that are ended in one turn of the event loop. */
const CLOSES_PER_TURN = 500;
/** Time between two slots of a batch. */
const SLOT_MS = 10;
/** The outcome of a run that was given up. */
const NEVER = new Promise<never>(() => {});
const CLOCK: DrainClock = { now: () => performance.now(), random: () => Math.random() };

/** The drain of one transport's connections. */
export class Drain<C extends Drainable> {
  readonly #transport: string;
  readonly #connections: ReadonlySet<C>;
  readonly #ends: DrainEnds<C>;
  readonly #clock: DrainClock;
  readonly #leaving = new Set<C>();
  /** Connections that were cut, and are closed soon. They are not counted again. */
  readonly #cutOffs = new Set<C>();
  #pace: DrainPace | undefined;
  /** Number of the run that counts; an earlier one ends nothing any more. */
  #run = 0;
  /** Connections when the first run began. */
  #total: number | undefined;
  #roundsDone = 0;
  #isDeadlineOver = false;
  #drained: Promise<DrainCounts> | undefined;
  #onEmpty: () => void = () => {};
  #endPause: () => void = () => {};
  #areAllDue = false;
  #deadline: NodeJS.Timeout | undefined;
  #closed = 0;
  #cut = 0;

  /**
   * @param transport - the transport's name, for telemetry
   * @param connections - the live set of open connections
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
   * Ends all connections; resolves when no connections remain. A second call sets a new pace for
   * the remaining connections.
   */
  async run(given: DrainPace): Promise<DrainCounts> {
    // A copy, as it is compared with that of earlier calls.
    const pace = { ...given };
    if (this.#drained) {
      this.#pace = pace;
      this.#roundsDone = 0;
      this.#endPause();
      if (this.#areAllDue) this.#setDeadline(pace);
    } else {
      pace.rounds = Math.max(1, pace.rounds - this.#roundsDone);
      this.#pace = pace;
      this.#drained = this.#endInRounds(pace, this.#run);
    }
    return this.#drained;
  }

  /** Abandons the current run, since main may have ended its functions. Another `run` continues with what remains. */
  recover(): void {
    if (!this.#drained) return;
    this.#drained = undefined;
    this.#pace = undefined;
    this.#run += 1;
    this.#areAllDue = false;
    clearTimeout(this.#deadline);
    this.#endPause();
  }

  /** Ends all remaining connections at once. Clients without unsent bytes are told to reconnect. */
  endAll(): void {
    this.#endPause();
    for (const connection of this.#connections) {
      if (this.#cutOffs.has(connection)) continue;
      if (connection.bufferedBytes === 0) this.#restart(connection);
      else this.#cutOff(connection);
    }
  }

  /** Ends a connection that was leaving, if all of its bytes have now been sent. */
  taken(connection: C): void {
    if (this.#cutOffs.has(connection)) return;
    if (connection.bufferedBytes === 0 && this.#leaving.has(connection)) this.#restart(connection);
  }

  /** Forgets a connection that has ended. */
  closed(connection: C): void {
    this.#leaving.delete(connection);
    this.#cutOffs.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty();
  }

  /** The number of connections whose batch is not due yet. */
  get #notDue(): number {
    return this.#connections.size - this.#leaving.size;
  }

  async #endInRounds(first: DrainPace, run: number): Promise<DrainCounts> {
    const connections = this.#connections;
    if (this.#total === undefined) {
      this.#closed = 0;
      this.#cut = 0;
    }
    const total = (this.#total ??= connections.size);
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    let pace: DrainPace;
    do {
      pace = this.#pace ?? first;
      await this.#endBatches(pace);
      if (run !== this.#run) return this.#drained ?? NEVER;
    } while (pace !== this.#pace);
    this.#areAllDue = true;
    if (connections.size > 0) {
      this.#setDeadline(pace);
      await empty;
      clearTimeout(this.#deadline);
    }
    return { connections: total, closed: this.#closed, cut: this.#cut };
  }

  /** Ends the connections that are not leaving yet, round by round, until the pace changes. */
  async #endBatches(pace: DrainPace): Promise<void> {
    const { rounds, intervalMs } = pace;
    const total = this.#notDue;
    let startMs = this.#clock.now();
    for (let index = 0; index < rounds && this.#notDue > 0; index += 1) {
      if (index > 0 && pace === this.#pace) await this.#pauseUntil(startMs + intervalMs);
      if (pace !== this.#pace) return;
      startMs = this.#clock.now();
      this.#roundsDone += 1;
      const isLast = index === rounds - 1;
      const planned = dueAfter(index, rounds, total) - dueAfter(index - 1, rounds, total);
      const count = isLast ? this.#notDue : Math.min(planned, this.#notDue);
      if (count === 0) continue;
      this.#report({ count, total, index, rounds });
      await this.#endBatch(pace, count, startMs);
    }
  }

  /** Ends the connections of one batch, each in its slot. */
  async #endBatch(pace: DrainPace, count: number, startMs: number): Promise<void> {
    const slots = this.#drawSlots(count, pace.spreadMs);
    for (const [slot, some] of slots.entries()) {
      if (some === 0) continue;
      if (slot > 0) await this.#pauseUntil(startMs + slot * SLOT_MS);
      if (pace !== this.#pace) return;
      await this.#endSome(some);
    }
  }

  /** Draws a random slot for each connection; returns the number of connections in each slot. */
  #drawSlots(count: number, spreadMs: number): Uint32Array {
    const slots = new Uint32Array(Math.max(1, Math.floor(spreadMs / SLOT_MS)));
    for (let drawn = 0; drawn < count; drawn += 1) {
      const slot = Math.floor(this.#clock.random() * slots.length);
      slots[slot] = (slots[slot] as number) + 1;
    }
    return slots;
  }

  async #endSome(count: number): Promise<void> {
    let done = 0;
    // The iterator follows the live set, so connections that end meanwhile are skipped.
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
    this.#cutOffs.add(connection);
    this.#ends.cut(connection);
  }

  /** Publishes the telemetry event of a batch, with the same fields as in Phoenix. */
  #report(batch: DrainBatch): void {
    if (!telemetry.socket_drain.hasSubscribers) return;
    telemetry.socket_drain.publish({ transport: this.#transport, ...batch });
  }

  #setDeadline({ deadlineMs }: DrainPace): void {
    clearTimeout(this.#deadline);
    const leftMs = this.#isDeadlineOver ? 0 : deadlineMs;
    this.#deadline = setTimeout(() => {
      this.#isDeadlineOver = true;
      this.endAll();
    }, leftMs);
  }

  async #pauseUntil(atMs: number): Promise<void> {
    const pauseMs = atMs - this.#clock.now();
    // Behind schedule, but the event loop must still turn.
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

/**
 * Returns the number of connections out of `total` that are due after a round; all rounds have
 * equal shares.
 */
function dueAfter(index: number, rounds: number, total: number): number {
  return Math.ceil(((index + 1) * total) / rounds);
}

async function nextTurn(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
}
