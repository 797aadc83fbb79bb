/**
 * Limits how many log lines a thread writes: of one kind about one connection, of one kind, in all.
 *
 * The counts of connections are kept for WINDOW_MS and then dropped together, so a connection that
 * causes no lines takes no memory. There are at most as many as lines are allowed in WINDOW_MS.
 *
 * Runs on: any thread; one per logger.
 * Full: further lines are suppressed and counted. At the latest after WINDOW_MS, `onSuppressed` is
 *       called with the counts.
 */

/** Limits of a throttle. */
export interface ThrottleLimits {
  /** Lines in all per second. One kind of line may use half of them. */
  readonly linesPerSecond: number;
  /** Lines of one kind about one connection within WINDOW_MS. */
  readonly linesPerConnection: number;
}

/** Time for which the lines about a connection are counted (ms). */
export const WINDOW_MS = 10_000;

/** Counts the lines of a thread. */
export class Throttle {
  readonly #limits: ThrottleLimits;
  readonly #maxOfKind: number;
  readonly #onSuppressed: (count: number, byKind: Readonly<Record<string, number>>) => void;
  readonly #byConnection = new Map<string, number>();
  readonly #byKind = new Map<string, number>();
  readonly #suppressed = new Map<string, number>();
  #count = 0;
  #secondEndsMs = 0;
  #windowEndsMs = 0;
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(
    limits: ThrottleLimits,
    onSuppressed: (count: number, byKind: Readonly<Record<string, number>>) => void,
  ) {
    this.#limits = limits;
    this.#maxOfKind = Math.ceil(limits.linesPerSecond / 2);
    this.#onSuppressed = onSuppressed;
  }

  /** Counts a line. @returns false if it must not be written */
  takes(kind: string, connection: number | undefined, nowMs: number): boolean {
    this.#forget(nowMs);
    const ofKind = this.#byKind.get(kind) ?? 0;
    if (this.#count >= this.#limits.linesPerSecond || ofKind >= this.#maxOfKind) {
      return this.#suppress(kind);
    }
    if (connection !== undefined) {
      const key = `${kind} ${connection}`;
      const about = this.#byConnection.get(key) ?? 0;
      if (about >= this.#limits.linesPerConnection) return this.#suppress(kind);
      this.#byConnection.set(key, about + 1);
    }
    this.#byKind.set(kind, ofKind + 1);
    this.#count += 1;
    return true;
  }

  /** Reports the lines that were suppressed since the last report, if any. */
  report(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#suppressed.size === 0) return;
    const byKind = Object.fromEntries(this.#suppressed);
    this.#suppressed.clear();
    const count = Object.values(byKind).reduce((sum, one) => sum + one, 0);
    this.#onSuppressed(count, byKind);
  }

  #suppress(kind: string): false {
    this.#suppressed.set(kind, (this.#suppressed.get(kind) ?? 0) + 1);
    this.#timer ??= setTimeout(() => this.report(), WINDOW_MS).unref();
    return false;
  }

  #forget(nowMs: number): void {
    if (nowMs >= this.#secondEndsMs) {
      this.#secondEndsMs = nowMs + 1_000;
      this.#count = 0;
      this.#byKind.clear();
    }
    if (nowMs >= this.#windowEndsMs) {
      this.#windowEndsMs = nowMs + WINDOW_MS;
      this.#byConnection.clear();
    }
  }
}
