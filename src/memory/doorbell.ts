/**
 * Wakes a member's thread that sleeps; costs a load where it does not.
 *
 * Runs on:  any thread; one Doorbell for each member, used by that member's thread only.
 * Owns:     a member writes its own sleeping word; whoever presses adds to the sequence.
 * Order:    the sleeper: (1) loads its sequence, (2) stores it in its sleeping word, (3) looks
 *           for work again, (4) waits for the sequence of (1) to change, (5) stores AWAKE.
 *           The presser: (1) stores its work (a ring's tail), (2) loads the sleeping word,
 *           (3) where that says the sequence of now, adds to it and notifies.
 *
 * No press is lost. All of these are Atomics, so they stand in one order, and whoever
 * sleeps has looked after (2). Where the presser loads what the sleeping word held before
 * a (2), its work was stored before that (2), and the look (3) finds it. Where it loads
 * what (2) stored but finds another sequence, somebody else has pressed since the
 * sleeper's (1): (4) ends, and before it sleeps again the sleeper looks again, after a (2)
 * that the presser's load did not see yet. So one sleep costs one notify, however many
 * press. (5) loses nothing and saves the presses that an awake member does not need.
 *
 * A nap may come while the event loop waits for the sequence S. Afterwards the sleeping word says
 * S again. Where S is still the sequence, it has said so all the time. Where it is not, the press
 * that changed it has woken the event loop's wait too, and the old S in the word says just that:
 * somebody has pressed since.
 */

import {
  AWAKE,
  DOORBELL_WORDS,
  SEQUENCE_STEP,
  SEQUENCE_WORD,
  SLEEPING_BIT,
  SLEEPING_WORD,
} from "./doorbell-layout.ts";

/** One member's own doorbell, and its way to press those of others. */
export class Doorbell {
  readonly #words: Int32Array;
  readonly #sequenceWord: number;
  readonly #sleepingWord: number;
  /** The sequence that `arm` loaded. */
  #armedSequence = 0;

  constructor(shared: SharedArrayBuffer, member: number) {
    this.#words = new Int32Array(shared);
    this.#sequenceWord = member * DOORBELL_WORDS + SEQUENCE_WORD;
    this.#sleepingWord = member * DOORBELL_WORDS + SLEEPING_WORD;
  }

  /** Steps 1 and 2 of going to sleep. The caller then looks for work again. */
  arm(): void {
    this.#armedSequence = Atomics.load(this.#words, this.#sequenceWord);
    Atomics.store(this.#words, this.#sleepingWord, this.#armedSequence | SLEEPING_BIT);
  }

  /** Step 5: awake. To be called after each wait, and where there is no wait after `arm`. */
  disarm(): void {
    Atomics.store(this.#words, this.#sleepingWord, AWAKE);
  }

  /**
   * Step 4: waits for a press after `arm`, without holding up the event loop. A promise
   * that is left waiting keeps no thread alive.
   *
   * @returns undefined where the doorbell was pressed already
   */
  wait(): Promise<string> | undefined {
    const waiting = Atomics.waitAsync(this.#words, this.#sequenceWord, this.#armedSequence);
    return waiting.async ? waiting.value : undefined;
  }

  /** Step 4 for a thread that may stand still. @returns false where the time ran out */
  waitBlocking(timeoutMs: number): boolean {
    const outcome = Atomics.wait(this.#words, this.#sequenceWord, this.#armedSequence, timeoutMs);
    return outcome !== "timed-out";
  }

  /**
   * Steps 1 to 5 at once, standing still, whether the event loop sleeps on this doorbell or not.
   *
   * @param look - step 3: whether there is something to do
   */
  nap(look: () => boolean, timeoutMs: number): void {
    const sleepingBefore = Atomics.load(this.#words, this.#sleepingWord);
    const sequence = Atomics.load(this.#words, this.#sequenceWord);
    Atomics.store(this.#words, this.#sleepingWord, sequence | SLEEPING_BIT);
    if (!look()) Atomics.wait(this.#words, this.#sequenceWord, sequence, timeoutMs);
    Atomics.store(this.#words, this.#sleepingWord, sleepingBefore);
  }

  /** Wakes a member that sleeps, unless somebody has just done so. @returns true where it pressed */
  press(member: number): boolean {
    const first = member * DOORBELL_WORDS;
    const sleeping = Atomics.load(this.#words, first + SLEEPING_WORD);
    if (sleeping === AWAKE) return false;
    const sequence = Atomics.load(this.#words, first + SEQUENCE_WORD);
    if (sleeping !== (sequence | SLEEPING_BIT)) return false;
    this.pressAlways(member);
    return true;
  }

  /** Wakes a member whatever its sleeping word says: to stop it, or after a presser died. */
  pressAlways(member: number): void {
    const word = member * DOORBELL_WORDS + SEQUENCE_WORD;
    Atomics.add(this.#words, word, SEQUENCE_STEP);
    Atomics.notify(this.#words, word);
  }
}
