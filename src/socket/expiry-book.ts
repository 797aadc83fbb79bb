/**
 * Which connections of a shard end at a time, and who of them is to be warned before.
 *
 * A connection without an expiry is not in it, and has no field, timer or entry for it. Those that have
 * one are looked at by the shard's sweep: they are warned, and end, at most one of its ticks late (a
 * second by default). The time is that of the wall clock, as it is in tokens.
 *
 * Runs on: shard; one for all its sockets, of either kind.
 * Full: where more end at once than one turn of the loop should, the rest ends in the next turns.
 */

/** Whose time may be over. */
export interface Mortal {
  /** How long before its end it is to be warned (ms); 0: not at all. */
  readonly expiringMs: number;
  /** Is told that so much time is left (ms). */
  expiring(leftMs: number): void;
  /** Its time has been over for so long (ms). It ends, and is forgotten. */
  expired(lateMs: number): void;
}

interface Entry<M> {
  readonly mortal: M;
  readonly expiresAtMs: number;
  /** When it is to be looked at: for the warning, then for the end. */
  dueMs: number;
}

/** Connections that one turn of the loop warns or ends. */
const MOST_PER_TURN = 500;
/** Entries that were replaced may be as many as these and those that hold. */
const SPARE_ENTRIES = 64;

/** The expiries of a shard's connections. */
export class ExpiryBook<M extends Mortal> {
  readonly #now: () => number;
  readonly #entries = new Map<M, Entry<M>>();
  /** A binary heap, the one that is due first in front; those that were replaced leave it when due. */
  #heap: Entry<M>[] = [];
  #isLooking = false;

  /** @param now - the time (ms since 1970) */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Connections that have an expiry. */
  get size(): number {
    return this.#entries.size;
  }

  /** Until when one may last; undefined: for ever. */
  get(mortal: M): number | undefined {
    return this.#entries.get(mortal)?.expiresAtMs;
  }

  /** Sets, moves or takes away an expiry. */
  set(mortal: M, expiresAtMs: number | undefined): void {
    if (expiresAtMs === undefined) {
      this.forget(mortal);
      return;
    }
    const leftMs = expiresAtMs - this.#now();
    // One that lasts shorter than the warning is early must have joined something to be warned.
    const warningMs = Math.min(mortal.expiringMs, leftMs / 2);
    const dueMs = warningMs > 0 ? expiresAtMs - warningMs : expiresAtMs;
    const entry = { mortal, expiresAtMs, dueMs };
    this.#entries.set(mortal, entry);
    this.#push(entry);
    if (this.#heap.length > this.#entries.size * 2 + SPARE_ENTRIES) this.#compact();
  }

  /** Forgets one that has ended. */
  forget(mortal: M): void {
    if (this.#entries.size > 0) this.#entries.delete(mortal);
  }

  /** Warns, and ends, those whose time it is. Called from the shard's sweep. */
  look(): void {
    // The rest of the last look is still to come.
    if (!this.#isLooking) this.#look();
  }

  #look(): void {
    this.#isLooking = false;
    const nowMs = this.#now();
    for (let count = 0; count < MOST_PER_TURN; count += 1) {
      const [first] = this.#heap;
      if (!first || first.dueMs > nowMs) return;
      this.#pop();
      if (this.#entries.get(first.mortal) === first) this.#due(first, nowMs);
    }
    this.#isLooking = true;
    setImmediate(() => this.#look());
  }

  #due(entry: Entry<M>, nowMs: number): void {
    const { mortal, expiresAtMs } = entry;
    if (nowMs >= expiresAtMs) {
      this.#entries.delete(mortal);
      mortal.expired(nowMs - expiresAtMs);
      return;
    }
    // First: the user's code runs, and may renew it.
    entry.dueMs = expiresAtMs;
    this.#push(entry);
    mortal.expiring(expiresAtMs - nowMs);
  }

  #compact(): void {
    const live = this.#heap.filter((entry) => this.#entries.get(entry.mortal) === entry);
    // What is in order is a heap.
    this.#heap = live.toSorted((one, other) => one.dueMs - other.dueMs);
  }

  #push(entry: Entry<M>): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (!parent || parent.dueMs <= entry.dueMs) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let childAt = at * 2 + 1;
      let child = heap[childAt];
      const right = heap[childAt + 1];
      if (child && right && right.dueMs < child.dueMs) {
        child = right;
        childAt += 1;
      }
      if (!child || child.dueMs >= last.dueMs) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
  }
}
