/**
 * The words by which threads end in order, even where no event loop goes round any more.
 *
 * A thread that ends with open connections of the engine takes the process with it. So main, on
 * its way out, stores `stop` and waits here until each shard has closed; and a shard that must
 * end by itself waits here until main deals it nothing more. What main says of readiness stands
 * here too, where any thread may read it at any time.
 *
 * Runs on: main, shard, link.
 * Order:   `closed` is stored after the app was closed, `released` after the app was removed.
 */

import { closedWord, DRAINED_WORD, READY_WORD, releasedWord, STOP_WORD } from "./life-layout.ts";

/** One thread's view of the life words. */
export class Life {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
  }

  /** Tells all members to close at once. For main. */
  stopAll(): void {
    this.#set(STOP_WORD);
  }

  /** Resolves when main tells all members to close at once. Keeps no thread alive. */
  async stopped(): Promise<void> {
    const waiting = Atomics.waitAsync(this.#words, STOP_WORD, 0);
    if (waiting.async) await waiting.value;
  }

  /** True while the node takes clients and does not drain, as main said last. */
  get isReady(): boolean {
    return Atomics.load(this.#words, READY_WORD) === 1;
  }

  /** Says whether the node is ready. For main. */
  setReady(isReady: boolean): void {
    Atomics.store(this.#words, READY_WORD, Number(isReady));
  }

  /** True once all shards drain: who is sent away by one of them must not be let in by another. */
  get isDrained(): boolean {
    return Atomics.load(this.#words, DRAINED_WORD) === 1;
  }

  /** Says that no shard is to take any client. For main, before it tells them to drain. */
  drain(): void {
    Atomics.store(this.#words, DRAINED_WORD, 1);
  }

  /** Says that a member is out of the deal. For main. */
  release(member: number): void {
    this.#set(releasedWord(member));
  }

  /** Blocks until main took this member out of the deal; false where the time ran out. */
  waitReleased(member: number, timeoutMs: number): boolean {
    return this.#wait(releasedWord(member), timeoutMs);
  }

  /** Says that this member's app is closed. */
  close(member: number): void {
    this.#set(closedWord(member));
  }

  isClosed(member: number): boolean {
    return Atomics.load(this.#words, closedWord(member)) === 1;
  }

  /** Blocks until a member's app is closed; false where the time ran out. */
  waitClosed(member: number, timeoutMs: number): boolean {
    return this.#wait(closedWord(member), timeoutMs);
  }

  /** Makes a member's number ready for a new thread. For main, when the old one has ended. */
  reset(member: number): void {
    Atomics.store(this.#words, releasedWord(member), 0);
    Atomics.store(this.#words, closedWord(member), 0);
  }

  #set(word: number): void {
    Atomics.store(this.#words, word, 1);
    Atomics.notify(this.#words, word);
  }

  #wait(word: number, timeoutMs: number): boolean {
    return Atomics.wait(this.#words, word, 0, timeoutMs) !== "timed-out";
  }
}
