/**
 * Letters that wait for a channel or a raw socket, first in, first out.
 *
 * Runs on: the shard that owns the connection. Created when the first letter has to wait.
 * Full: `tryPut` returns false. `put` always succeeds, because it is for letters that no client can
 *       send at will, such as the end of the connection. Otherwise a client could not leave a
 *       channel whose mailbox is full.
 */

/** A letter that may wait. */
export interface Waitable {
  readonly kind: string;
  /** Bytes of the message or broadcast in it, if it has one. */
  readonly bytes?: number;
}

/** A queue of letters with a bound. */
export class Mailbox<Letter extends Waitable> {
  readonly #bound: number;
  #letters: Letter[] = [];
  #next = 0;

  /** @param bound - maximum number of waiting letters that `tryPut` allows */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Number of waiting letters. */
  get length(): number {
    return this.#letters.length - this.#next;
  }

  /** Bytes of the letters that wait. */
  get bytes(): number {
    let sum = 0;
    for (const { bytes = 0 } of this.#letters.slice(this.#next)) sum += bytes;
    return sum;
  }

  /** Adds a letter, unless the mailbox is full. Returns whether it was added. */
  tryPut(letter: Letter): boolean {
    if (this.length >= this.#bound) return false;
    this.#letters.push(letter);
    return true;
  }

  /** Adds a letter, even to a full mailbox. */
  put(letter: Letter): void {
    this.#letters.push(letter);
  }

  /** Removes the letters that have bytes. */
  dropCounted(): void {
    this.#letters = this.#letters.slice(this.#next).filter(({ bytes = 0 }) => bytes === 0);
    this.#next = 0;
  }

  /** Removes and returns the oldest letter. */
  take(): Letter | undefined {
    if (this.#next >= this.#letters.length) return undefined;
    const letter = this.#letters[this.#next];
    this.#next += 1;
    if (this.#next === this.#letters.length) {
      this.#letters = [];
      this.#next = 0;
    } else if (this.#next >= 64 && this.#next * 2 >= this.#letters.length) {
      // Taken letters are released half an array at a time, so that `take` stays cheap and a
      // mailbox that is never empty does not grow.
      this.#letters = this.#letters.slice(this.#next);
      this.#next = 0;
    }
    return letter;
  }
}
