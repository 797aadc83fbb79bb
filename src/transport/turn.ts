/**
 * A turn of a shard's event loop, of which all clients together may use about 10 ms.
 *
 * The engine reads up to 512 KiB from one connection, reads on while more arrives, and calls us for each message and
 * request in it. Nothing else runs until then: no other client, no timer. So what arrives when the budget is spent
 * waits in a queue, which is emptied at the end of the turn and of the following ones, each within a budget again.
 * Other clients are served in between.
 *
 *   turn begins                  budget spent                  turn ends (setImmediate)
 *     |  handled where it is read     |  waits, except for a few    |  what waits is handled, then what is new
 *
 * Messages over WebSocket and custom transports wait by client (`turn-budget`). Of HTTP requests, a connection can have only one that
 * waits: the engine closes a connection that sends another request while one is not answered. So a client that sends
 * requests without waiting for answers is cut, and any other is served a little later.
 *
 * The engine sends broadcasts after the turn, which can take much longer than to handle the messages that caused them.
 * `charge` takes that time from the budget before it is spent.
 *
 * Runs on: shard; one for each.
 * Order: what waits is handled in the order in which it came, once for each `later`.
 */

/** What clients may use of a turn (ms). */
const BUDGET_MS = 10;
/**
 * New connections that are read in a turn (`transport/accept-queue`), and requests for WebSockets that are always served
 * in it. In a later turn, such a request costs several times as much (`transport/websocket/upgrade`).
 */
export const NEW_PER_TURN = 32;
/** Requests, and bytes of their bodies, that are always served in a turn. */
const ALWAYS_REQUESTS = 8;
const ALWAYS_BODY_BYTES = 32_768;
/**
 * Time that the engine needs to send one more broadcast of a turn, for each receiver and for each byte to a receiver
 * (ms). Measured: 0.48 µs with 10 bytes, 0.93 with 1,000, 5.1 with 8,000. The first one takes 11 µs, since it costs a
 * system call for each receiver, but that would be the same for a client that sends nothing else.
 */
const RECEIVER_MS = 0.000_5;
const RECEIVED_BYTE_MS = 0.000_000_5;
/** A broadcast that takes less is not charged, unless the turn has begun (ms). */
const MIN_CHARGE_MS = 0.05;

/** The turns of a shard. */
export class Turn {
  readonly #onEnd: (() => void)[] = [];
  readonly #end = (): void => this.#ended();
  #waiting: (() => void)[] = [];
  /** The number of those in `#waiting` that have been called. */
  #done = 0;
  /** End of the budget (ms, as `performance.now`). Only valid while the end of the turn is scheduled. */
  #endsAtMs = 0;
  #isScheduled = false;
  #chargedMs = 0;
  #requests = 0;
  #upgrades = 0;
  #bodyBytes = 0;

  /** The number of calls of `later` that are not done. */
  get size(): number {
    return this.#waiting.length - this.#done;
  }

  /** Adds a function that is called when a turn ends, before anything that waits is handled. */
  onEnd(ended: () => void): void {
    this.#onEnd.push(ended);
  }

  /** Reports whether the budget is spent. The first call of a turn starts its time. */
  isSpent(): boolean {
    const nowMs = performance.now();
    if (!this.#isScheduled) this.#start(nowMs);
    return nowMs >= this.#endsAtMs;
  }

  /** Counts a request. @returns whether it must be handled now; otherwise pass it to `later` */
  takesRequest(): boolean {
    const isSpent = this.isSpent();
    this.#requests += 1;
    if (!isSpent) return true;
    return this.#requests <= ALWAYS_REQUESTS && this.#bodyBytes <= ALWAYS_BODY_BYTES;
  }

  /** Counts a request for a WebSocket. @returns as `takesRequest` */
  takesUpgrade(): boolean {
    const isSpent = this.isSpent();
    this.#upgrades += 1;
    return !isSpent || this.#upgrades <= NEW_PER_TURN;
  }

  /** Counts a part of a request's body. */
  countBody(bytes: number): void {
    if (this.#isScheduled) this.#bodyBytes += bytes;
  }

  /** Takes from the budget what the engine will need to send a broadcast. */
  charge(receivers: number, bytes: number): void {
    const costMs = receivers * (RECEIVER_MS + bytes * RECEIVED_BYTE_MS);
    if (!this.#isScheduled) {
      if (costMs < MIN_CHARGE_MS) return;
      this.#start(performance.now());
    }
    this.#endsAtMs -= costMs;
    this.#chargedMs += costMs;
  }

  /** Whether the broadcasts of this turn alone use more than its budget. */
  get isOvercharged(): boolean {
    return this.#isScheduled && this.#chargedMs > BUDGET_MS;
  }

  /** Does work in a later turn, in order. It must not throw. */
  later(work: () => void): void {
    if (!this.#isScheduled) this.#start(performance.now());
    this.#waiting.push(work);
  }

  #start(nowMs: number): void {
    this.#endsAtMs = nowMs + BUDGET_MS;
    this.#chargedMs = 0;
    this.#requests = 0;
    this.#upgrades = 0;
    this.#bodyBytes = 0;
    this.#isScheduled = true;
    setImmediate(this.#end);
  }

  // If something still waits, the next turn has begun with it.
  #ended(): void {
    this.#isScheduled = false;
    for (const ended of this.#onEnd) ended();
    if (this.#waiting.length === 0) return;
    this.#start(performance.now());
    // Work may call `later` again, so this goes on until nothing is left.
    do {
      const work = this.#waiting[this.#done];
      // Counted first: if main ends it (`shard/forced-end`), the next turn goes on behind it.
      this.#done += 1;
      work?.();
    } while (this.#done < this.#waiting.length && performance.now() < this.#endsAtMs);
    this.#waiting.splice(0, this.#done);
    this.#done = 0;
  }
}
