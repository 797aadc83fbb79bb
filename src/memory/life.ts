/**
 * Shared words that coordinate shutdown, even if an event loop is no longer running.
 *
 * If a thread ends while the engine has open connections on it, the whole process aborts. So when
 * the process exits, main stores `stop` and blocks until each shard has closed. A shard that has to
 * end on its own blocks until main stops sending it connections. The ready word is stored here too,
 * so that any thread can read it at any time, and so are a member's beats, by which main notices that
 * its event loop does not turn.
 *
 * Runs on: main, shard, link.
 * Order:   `closed` is stored after the app is closed, `released` after the app is removed from
 *          the listener.
 */

import {
  beatsWord,
  closedWord,
  DRAINING_WORD,
  LATE_WORD,
  READY_WORD,
  releasedWord,
  STOP_WORD,
  TICK_MS,
  TIME_WORD,
} from "./life-layout.ts";

/** A thread's view of the life words. */
export class Life {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
  }

  /** Tells all members to close immediately. Called by main. */
  stopAll(): void {
    this.#set(STOP_WORD);
  }

  /** Resolves when main calls `stopAll`. The pending promise does not keep the thread alive. */
  async stopped(): Promise<void> {
    const waiting = Atomics.waitAsync(this.#words, STOP_WORD, 0);
    if (waiting.async) await waiting.value;
  }

  /** Whether the node accepts clients, as set by main. */
  get isReady(): boolean {
    return Atomics.load(this.#words, READY_WORD) === 1;
  }

  /** Sets whether the node is ready. Called by main. */
  setReady(isReady: boolean): void {
    Atomics.store(this.#words, READY_WORD, Number(isReady));
  }

  /**
   * Whether the node is draining. All shards share this word, so that a client whose connection is
   * closed by one shard is not accepted by another.
   */
  get isDraining(): boolean {
    return Atomics.load(this.#words, DRAINING_WORD) === 1;
  }

  /** Makes all shards refuse new clients. Called by main before it sends them the drain message. */
  drain(): void {
    Atomics.store(this.#words, DRAINING_WORD, 1);
  }

  /** Announces that a member receives no more connections. Called by main. */
  release(member: number): void {
    this.#set(releasedWord(member));
  }

  /** Blocks until this member receives no more connections. @returns false if the wait timed out */
  waitReleased(member: number, timeoutMs: number): boolean {
    return this.#wait(releasedWord(member), timeoutMs);
  }

  /** Announces that this member's app is closed. */
  close(member: number): void {
    this.#set(closedWord(member));
  }

  isClosed(member: number): boolean {
    return Atomics.load(this.#words, closedWord(member)) === 1;
  }

  /** Blocks until a member's app is closed. @returns false if the wait timed out */
  waitClosed(member: number, timeoutMs: number): boolean {
    return this.#wait(closedWord(member), timeoutMs);
  }

  /** Stores the time, which members read where a clock would cost too much. Called by main. */
  tick(nowMs: number): void {
    if (((nowMs - this.timeMs) | 0) > 2 * TICK_MS) this.#words[LATE_WORD] = nowMs;
    this.#words[TIME_WORD] = nowMs;
  }

  /** Time at main's last tick (ms). It wraps, so subtract with `| 0`. */
  get timeMs(): number {
    return this.#words[TIME_WORD] as number;
  }

  /**
   * Returns how long ago a time was that was read from `timeMs`. If main's ticks were late since then,
   * only the time since the last late tick counts, as the time that was read may have been old.
   */
  sinceMs(timeMs: number, nowMs: number): number {
    const lateMs = this.#words[LATE_WORD] as number;
    return (nowMs - (((lateMs - timeMs) | 0) > 0 ? lateMs : timeMs)) | 0;
  }

  /** Announces that this member's event loop turns. */
  beat(member: number): void {
    Atomics.store(this.#words, beatsWord(member), (this.beats(member) + 1) | 0);
  }

  /** Number of times that a member has called `beat`; wraps. */
  beats(member: number): number {
    return Atomics.load(this.#words, beatsWord(member));
  }

  /** Prepares a member's number for a new thread. Called by main after the old thread has ended. */
  reset(member: number): void {
    Atomics.store(this.#words, releasedWord(member), 0);
    Atomics.store(this.#words, closedWord(member), 0);
    Atomics.store(this.#words, beatsWord(member), 0);
  }

  #set(word: number): void {
    Atomics.store(this.#words, word, 1);
    Atomics.notify(this.#words, word);
  }

  #wait(word: number, timeoutMs: number): boolean {
    return Atomics.wait(this.#words, word, 0, timeoutMs) !== "timed-out";
  }
}
