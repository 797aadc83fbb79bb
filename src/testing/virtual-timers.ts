/**
 * Timers that wait for a test to move the time: in the order in which they are due, and of those
 * that are due together in the order in which they were set.
 *
 * Runs on: the thread of a test.
 */

/** Longest delay of a timer; Node.js has one that is longer fire after 1 ms. */
const MAX_DELAY_MS = 2_147_483_647;

/** What a timer calls. */
export type TimerCall = () => void;

/** A timer, with what Node.js's own have. */
export class VirtualTimer {
  dueMs = 0;
  /** Number of its setting: what tells two apart that are due together. */
  order = 0;
  readonly call: TimerCall;
  readonly delayMs: number;
  readonly repeats: boolean;
  readonly #timers: VirtualTimers;
  #hasRef = true;

  constructor(timers: VirtualTimers, call: TimerCall, delayMs: number, repeats: boolean) {
    this.#timers = timers;
    this.call = call;
    this.delayMs = delayMs;
    this.repeats = repeats;
  }

  ref(): this {
    this.#hasRef = true;
    return this;
  }

  unref(): this {
    this.#hasRef = false;
    return this;
  }

  hasRef(): boolean {
    return this.#hasRef;
  }

  /** Begins its delay anew. */
  refresh(): this {
    this.#timers.set(this);
    return this;
  }

  close(): this {
    this.#timers.clear(this);
    return this;
  }

  [Symbol.toPrimitive](): number {
    return this.#timers.idOf(this);
  }

  [Symbol.dispose](): void {
    this.#timers.clear(this);
  }
}

/** All timers of a virtual time. */
export class VirtualTimers {
  /** Sorted: the one that is due next comes last. */
  readonly #waiting: VirtualTimer[] = [];
  /** Timers that somebody knows by a number. */
  readonly #byId = new Map<number, VirtualTimer>();
  #nextOrder = 1;
  #nextId = 1;
  #nowMs = 0;

  /** Time that has passed since the start. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Makes a timer, and sets it. */
  make(call: TimerCall, delayMs: unknown, repeats: boolean): VirtualTimer {
    const timer = new VirtualTimer(this, call, usableDelay(delayMs), repeats);
    this.set(timer);
    return timer;
  }

  /** Has a timer wait for its whole delay from now on. */
  set(timer: VirtualTimer): void {
    this.clear(timer);
    timer.dueMs = this.#nowMs + timer.delayMs;
    timer.order = this.#nextOrder;
    this.#nextOrder += 1;
    this.#waiting.splice(this.#placeOf(timer), 0, timer);
  }

  /** Takes a timer back. Nothing happens where it does not wait. */
  clear(timer: VirtualTimer): void {
    const at = this.#placeOf(timer);
    if (this.#waiting[at] === timer) this.#waiting.splice(at, 1);
  }

  /** Gives a number by which a timer is known, as Node.js does. */
  idOf(timer: VirtualTimer): number {
    for (const [id, known] of this.#byId) if (known === timer) return id;
    const id = this.#nextId;
    this.#nextId += 1;
    this.#byId.set(id, timer);
    return id;
  }

  find(id: unknown): VirtualTimer | undefined {
    return this.#byId.get(Number(id));
  }

  /**
   * Moves the time to the next timer that is due by then, and fires it.
   *
   * @returns false where there is none: the time is `untilMs` then
   */
  fireNext(untilMs: number): boolean {
    const timer = this.#waiting.at(-1);
    if (!timer || timer.dueMs > untilMs) {
      this.#nowMs = untilMs;
      return false;
    }
    this.#waiting.pop();
    this.#nowMs = timer.dueMs;
    // Before the call, which may clear it.
    if (timer.repeats) this.set(timer);
    timer.call();
    return true;
  }

  /** Index of a timer, or the one at which it belongs. */
  #placeOf({ dueMs, order }: VirtualTimer): number {
    let [low, high] = [0, this.#waiting.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#waiting[middle] as VirtualTimer;
      const isLater = other.dueMs > dueMs || (other.dueMs === dueMs && other.order > order);
      if (isLater) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** As Node.js reads it: whole milliseconds, of which there is at least one. */
function usableDelay(delayMs: unknown): number {
  const wholeMs = Math.trunc(Number(delayMs));
  return wholeMs >= 1 && wholeMs <= MAX_DELAY_MS ? wholeMs : 1;
}
