/**
 * Windows in which broadcasts and presses of doorbells are held, so that they leave together.
 *
 *   CoalescingWindow   with `coalesceMs`: holds everything until a moment that all threads share
 *   BurstWindow        without it: after the first broadcasts of a turn, holds the rest until it ends
 *   LatePresses        the doorbells that are pressed at the end of a coalescing window
 *
 * Runs on: shard; one window for each. `LatePresses` is part of the shard's exchange.
 * Order:   what was held first leaves first; tasks run in the order in which they were added.
 */

/** A window in which broadcasts are held. It is open while something is held. */
export interface HoldingWindow {
  /** Calls a task whenever the window ends. The task publishes what it holds. */
  onEnd(task: () => void): void;
  /** Reports whether the next broadcast must be held. Call this once for each broadcast. */
  takes(): boolean;
  /** Opens the window, unless it is already open. */
  open(): void;
  /** Ends the window immediately, if it is open. */
  end(): void;
}

const MS_PER_SECOND = 1_000;
const NS_PER_MS = 1_000_000;

/**
 * A shard's coalescing window.
 *
 * The windows of all threads end at the same times: at multiples of their length on the system's
 * monotonic clock. A thread therefore receives everything that other threads have held at about the
 * same time, and wakes once for all of it. A broadcast waits half a window on average, and a whole
 * window at most.
 */
export class CoalescingWindow implements HoldingWindow {
  readonly #lengthMs: number;
  readonly #tasks: (() => void)[] = [];
  readonly #onTimer = (): void => this.end();
  #timer: NodeJS.Timeout | undefined;

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs;
  }

  onEnd(task: () => void): void {
    this.#tasks.push(task);
  }

  /** Always returns true, because every broadcast is held. */
  takes(): boolean {
    return true;
  }

  open(): void {
    if (this.#timer !== undefined) return;
    // The only clock that is the same for all threads of a process.
    const [seconds, nanoseconds] = process.hrtime();
    const nowMs = seconds * MS_PER_SECOND + nanoseconds / NS_PER_MS;
    this.#timer = setTimeout(this.#onTimer, leftMs(nowMs, this.#lengthMs));
  }

  end(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const task of this.#tasks) task();
  }
}

/** Returns the time until windows of a length end (whole ms, at least 1, rounded up). */
export function leftMs(nowMs: number, lengthMs: number): number {
  return Math.ceil(lengthMs - (nowMs % lengthMs));
}

/** Creates a shard's window. @returns undefined for a length of 0 ms, for which nothing is held */
export function makeCoalescingWindow(lengthMs: number): CoalescingWindow | undefined {
  return lengthMs > 0 ? new CoalescingWindow(lengthMs) : undefined;
}

/** Number of broadcasts sent at once before the window opens: half of what the engine keeps. */
export const BURST = 16;

/**
 * The window of a shard that does not coalesce: the rest of a turn with many broadcasts.
 *
 * The engine keeps 32 messages for each subscriber. One more makes it send them. Within the callback
 * of another socket, which the engine corks, each of the 32 then costs a system call of its own. So if
 * a turn has many broadcasts, the rest waits for the end of the turn, when the engine can cork each
 * subscriber. The first 16 broadcasts leave at once, at the cost of a counter; the next one opens the
 * window.
 */
export class BurstWindow implements HoldingWindow {
  readonly #tasks: (() => void)[] = [];
  readonly #onTurn = (): void => this.end();
  #immediate: NodeJS.Immediate | undefined;
  /** Broadcasts since the window last ended, possibly over several turns. */
  #count = 0;

  onEnd(task: () => void): void {
    this.#tasks.push(task);
  }

  takes(): boolean {
    if (this.#immediate !== undefined) return true;
    this.#count += 1;
    return this.#count > BURST;
  }

  open(): void {
    this.#immediate ??= setImmediate(this.#onTurn);
  }

  end(): void {
    if (this.#immediate === undefined) return;
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
    this.#count = 0;
    for (const task of this.#tasks) task();
  }
}

/**
 * The members that a producer has written to but not woken. Their doorbells are pressed at the end of
 * the coalescing window. A member is woken earlier if more than half of its ring would be written
 * without a press, so that no producer waits for a member that sleeps.
 */
export class LatePresses {
  readonly #window: CoalescingWindow;
  readonly #press: (member: number) => void;
  readonly #mostBytes: number;
  /** By member: bytes written to it since the last press. */
  readonly #bytes: Float64Array;

  /** @param press - wakes a member, if it sleeps */
  constructor(
    window: CoalescingWindow,
    { members, ringBytes }: { readonly members: number; readonly ringBytes: number },
    press: (member: number) => void,
  ) {
    this.#window = window;
    this.#press = press;
    this.#mostBytes = ringBytes / 2;
    this.#bytes = new Float64Array(members);
    window.onEnd(() => this.pressAll());
  }

  /**
   * Notes that a record is about to be written.
   *
   * @param recordBytes - its length in the ring
   * @returns whether its press may wait. If not, the member was woken for what was written before
   */
  mayWait(member: number, recordBytes: number): boolean {
    const bytes = (this.#bytes[member] ?? 0) + recordBytes;
    if (bytes > this.#mostBytes) {
      this.#bytes[member] = 0;
      this.#press(member);
      return false;
    }
    this.#bytes[member] = bytes;
    this.#window.open();
    return true;
  }

  /** Wakes every member whose press has waited. */
  pressAll(): void {
    for (let member = 0; member < this.#bytes.length; member += 1) {
      if (this.#bytes[member] === 0) continue;
      this.#bytes[member] = 0;
      this.#press(member);
    }
  }
}
