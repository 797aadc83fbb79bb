/**
 * The timers of virtual time. They fire in the order in which they are due; timers that are due at
 * the same time fire in the order in which they were set.
 *
 * Runs on: the thread of a test.
 */

/** Maximum delay of a timer (ms). Node.js changes a longer delay to 1 ms. */
const MAX_DELAY_MS = 2_147_483_647;

/** Callback of a timer. */
export type TimerCall = () => void;

/** A timer, with the methods of Node.js's Timeout. */
export class VirtualTimer {
  dueMs = 0;
  /** Increases with each `set`, to sort timers that are due at the same time. */
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

  /** Restarts the delay. */
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
  /** Sorted: the timer that is due next is the last. */
  readonly #waiting: VirtualTimer[] = [];
  /** Timers that were converted to a number. */
  readonly #byId = new Map<number, VirtualTimer>();
  #nextOrder = 1;
  #nextId = 1;
  #nowMs = 0;

  /** Virtual time since the start (ms). */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Creates a timer and sets it. */
  make(call: TimerCall, delayMs: unknown, repeats: boolean): VirtualTimer {
    const timer = new VirtualTimer(this, call, usableDelay(delayMs), repeats);
    this.set(timer);
    return timer;
  }

  /** Sets a timer to fire after its full delay from now. */
  set(timer: VirtualTimer): void {
    this.clear(timer);
    timer.dueMs = this.#nowMs + timer.delayMs;
    timer.order = this.#nextOrder;
    this.#nextOrder += 1;
    this.#waiting.splice(this.#placeOf(timer), 0, timer);
  }

  /** Clears a timer. Does nothing if it is not set. */
  clear(timer: VirtualTimer): void {
    const at = this.#placeOf(timer);
    if (this.#waiting[at] === timer) this.#waiting.splice(at, 1);
  }

  /** Returns the number of a timer, as Node.js does. */
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
   * Advances the time to the next timer due by `untilMs`, and fires it.
   *
   * @returns false if there is no such timer; the time is then `untilMs`
   */
  fireNext(untilMs: number): boolean {
    const timer = this.#waiting.at(-1);
    if (!timer || timer.dueMs > untilMs) {
      this.#nowMs = untilMs;
      return false;
    }
    this.#waiting.pop();
    this.#nowMs = timer.dueMs;
    // Set before the call, because the call may clear it.
    if (timer.repeats) this.set(timer);
    timer.call();
    return true;
  }

  /** Returns the index of a timer, or the index at which to insert it. */
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

/** Converts a delay as Node.js does: to whole milliseconds, at least 1. */
function usableDelay(delayMs: unknown): number {
  const wholeMs = Math.trunc(Number(delayMs));
  return wholeMs >= 1 && wholeMs <= MAX_DELAY_MS ? wholeMs : 1;
}
