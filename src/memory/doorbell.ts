/**
 * Wakes a member's thread if it is asleep. If it is awake, a press costs one atomic load.
 *
 * Runs on:  any thread; one Doorbell per member, used only by that member's thread.
 * Owns:     a member writes its own sleeping word. Any member that presses adds to the sequence.
 * Order:    The sleeper (S1) loads its sequence, (S2) stores it in its sleeping word, (S3) checks
 *           for work again, (S4) waits for the sequence to differ from S1, (S5) stores AWAKE.
 *           The presser (P1) stores its work, such as a ring's tail, (P2) loads the sleeping word,
 *           (P3) if the word contains the current sequence, adds to the sequence and notifies.
 *
 * No press is lost, because all of these operations are Atomics and have a single total order:
 *
 * - If P2 loads a value from before S2, then P1 came before S2, and S3 finds the work.
 * - If P2 loads the value stored by S2 and the sequence is unchanged, P3 wakes the sleeper.
 * - If P2 loads the value stored by S2 but the sequence has changed, another member has pressed
 *   since S1, and S4 returns. Before the sleeper sleeps again, it repeats S2 and S3. The repeated
 *   S2 comes after P2, so S3 finds the work.
 *
 * So each sleep costs a single notify, however many members press. S5 is only an optimization. It
 * avoids unnecessary presses while the member is awake.
 *
 * A nap blocks the whole thread for a short time, even if its event loop is already waiting on the
 * sequence. A nap follows the same steps with two other words. Records are frequent and do not end
 * a nap. Only `wakeNapper` does, when a ring has room again or another member is blocked as well.
 */

import {
  AWAKE,
  DOORBELL_WORDS,
  NAPPING_WORD,
  NAPS_WORD,
  SEQUENCE_STEP,
  SEQUENCE_WORD,
  SLEEPING_BIT,
  SLEEPING_WORD,
} from "./doorbell-layout.ts";

/** A member's doorbell, which can also press the doorbells of other members. */
export class Doorbell {
  readonly #words: Int32Array;
  readonly #sequenceWord: number;
  readonly #sleepingWord: number;
  readonly #napsWord: number;
  readonly #nappingWord: number;
  /** The sequence loaded by `arm`. */
  #armedSequence = 0;

  constructor(shared: SharedArrayBuffer, member: number) {
    this.#words = new Int32Array(shared);
    this.#sequenceWord = member * DOORBELL_WORDS + SEQUENCE_WORD;
    this.#sleepingWord = member * DOORBELL_WORDS + SLEEPING_WORD;
    this.#napsWord = member * DOORBELL_WORDS + NAPS_WORD;
    this.#nappingWord = member * DOORBELL_WORDS + NAPPING_WORD;
  }

  /** Announces that this member will sleep (S1, S2). The caller then checks for work (S3). */
  arm(): void {
    this.#armedSequence = Atomics.load(this.#words, this.#sequenceWord);
    Atomics.store(this.#words, this.#sleepingWord, this.#armedSequence | SLEEPING_BIT);
  }

  /** Marks this member as awake (S5). Call it after each wait, or instead of the wait. */
  disarm(): void {
    Atomics.store(this.#words, this.#sleepingWord, AWAKE);
  }

  /**
   * Waits for a press after `arm` (S4) without blocking the event loop. The pending promise does
   * not keep the thread alive.
   *
   * @returns undefined if the doorbell has been pressed already
   */
  wait(): Promise<string> | undefined {
    const waiting = Atomics.waitAsync(this.#words, this.#sequenceWord, this.#armedSequence);
    return waiting.async ? waiting.value : undefined;
  }

  /** Blocks the thread until a press after `arm` (S4). @returns false if the wait timed out */
  waitBlocking(timeoutMs: number): boolean {
    const outcome = Atomics.wait(this.#words, this.#sequenceWord, this.#armedSequence, timeoutMs);
    return outcome !== "timed-out";
  }

  /**
   * Blocks the thread until `wakeNapper` is called, whether or not the event loop is waiting on
   * this doorbell.
   *
   * @param hasWork - called once, after the nap is visible to other members; true cancels the nap
   * @returns false if the nap timed out
   */
  nap(hasWork: () => boolean, timeoutMs: number): boolean {
    const naps = Atomics.load(this.#words, this.#napsWord);
    Atomics.store(this.#words, this.#nappingWord, 1);
    const outcome = !hasWork() && Atomics.wait(this.#words, this.#napsWord, naps, timeoutMs);
    Atomics.store(this.#words, this.#nappingWord, 0);
    return outcome !== "timed-out";
  }

  /** Wakes a member from its nap. @returns false if the member is not napping */
  wakeNapper(member: number): boolean {
    const first = member * DOORBELL_WORDS;
    if (Atomics.load(this.#words, first + NAPPING_WORD) === 0) return false;
    Atomics.add(this.#words, first + NAPS_WORD, 1);
    Atomics.notify(this.#words, first + NAPS_WORD);
    return true;
  }

  /** Wakes a member if it is asleep and has not been woken yet. @returns whether it was pressed */
  press(member: number): boolean {
    const first = member * DOORBELL_WORDS;
    const sleeping = Atomics.load(this.#words, first + SLEEPING_WORD);
    if (sleeping === AWAKE) return false;
    const sequence = Atomics.load(this.#words, first + SEQUENCE_WORD);
    if (sleeping !== (sequence | SLEEPING_BIT)) return false;
    this.pressAlways(member);
    return true;
  }

  /** Wakes a member regardless of its sleeping word: to stop it, or after a presser has died. */
  pressAlways(member: number): void {
    const word = member * DOORBELL_WORDS + SEQUENCE_WORD;
    Atomics.add(this.#words, word, SEQUENCE_STEP);
    Atomics.notify(this.#words, word);
  }
}
