/**
 * Warns the connections of a shard before they expire, and closes them when they expire.
 *
 * A connection that does not expire has no entry, field or timer. The shard's sweep checks the others,
 * so they are warned and closed at most one tick late (a second by default). Times are those of the
 * wall clock, as in tokens.
 *
 * Runs on: shard; one instance for all its sockets, of either kind.
 * Full: if too many connections expire at once for one turn of the loop, the rest are closed in
 *       later turns.
 */

/** A socket that may expire. */
export interface Expirable {
  /** Time between the warning and the expiry (ms); 0: no warning. */
  readonly expiringMs: number;
  /** Called before the socket expires, with the time left (ms). */
  expiring(leftMs: number): void;
  /**
   * Called once the socket has expired, with the time since its expiry (ms). It is no longer in the
   * book.
   */
  expired(lateMs: number): void;
}

interface Entry<S> {
  readonly socket: S;
  readonly expiresAtMs: number;
  /** Time at which the socket is due, first for the warning, then for the end. */
  dueMs: number;
}

/** Maximum number of sockets that are warned or closed in one turn of the loop. */
const MOST_PER_TURN = 500;
/** The heap is compacted if replaced entries outnumber the others by more than this. */
const SPARE_ENTRIES = 64;

/** The expiries of a shard's connections. */
export class ExpiryBook<S extends Expirable> {
  readonly #now: () => number;
  readonly #entries = new Map<S, Entry<S>>();
  /** A binary heap by due time. Entries that were replaced stay in it until they are due. */
  #heap: Entry<S>[] = [];
  #isLooking = false;

  /** @param now - returns the time (ms since 1970) */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Number of sockets that expire. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Returns the time at which a socket expires (ms since 1970), or undefined if it never expires.
   */
  get(socket: S): number | undefined {
    return this.#entries.get(socket)?.expiresAtMs;
  }

  /** Sets, moves or removes an expiry. */
  set(socket: S, expiresAtMs: number | undefined): void {
    if (expiresAtMs === undefined) {
      this.forget(socket);
      return;
    }
    const leftMs = expiresAtMs - this.#now();
    // If little time is left, the warning must not come before the client has joined its channels.
    const warningMs = Math.min(socket.expiringMs, leftMs / 2);
    const dueMs = warningMs > 0 ? expiresAtMs - warningMs : expiresAtMs;
    const entry = { socket, expiresAtMs, dueMs };
    this.#entries.set(socket, entry);
    this.#push(entry);
    if (this.#heap.length > this.#entries.size * 2 + SPARE_ENTRIES) this.#compact();
  }

  /** Removes a socket that has ended. */
  forget(socket: S): void {
    if (this.#entries.size > 0) this.#entries.delete(socket);
  }

  /** Warns and closes the sockets that are due. Called from the shard's sweep. */
  look(): void {
    // Otherwise the rest of the previous check is already scheduled.
    if (!this.#isLooking) this.#look();
  }

  #look(): void {
    this.#isLooking = false;
    const nowMs = this.#now();
    for (let count = 0; count < MOST_PER_TURN; count += 1) {
      const [first] = this.#heap;
      if (!first || first.dueMs > nowMs) return;
      this.#pop();
      if (this.#entries.get(first.socket) === first) this.#due(first, nowMs);
    }
    this.#isLooking = true;
    setImmediate(() => this.#look());
  }

  #due(entry: Entry<S>, nowMs: number): void {
    const { socket, expiresAtMs } = entry;
    if (nowMs >= expiresAtMs) {
      this.#entries.delete(socket);
      socket.expired(nowMs - expiresAtMs);
      return;
    }
    // Pushed first, because `expiring` runs user code, which may renew the expiry.
    entry.dueMs = expiresAtMs;
    this.#push(entry);
    socket.expiring(expiresAtMs - nowMs);
  }

  #compact(): void {
    const live = this.#heap.filter((entry) => this.#entries.get(entry.socket) === entry);
    // A sorted array is a heap.
    this.#heap = live.toSorted((one, other) => one.dueMs - other.dueMs);
  }

  #push(entry: Entry<S>): void {
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
