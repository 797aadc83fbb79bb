/**
 * Letters that wait for a channel or a raw socket, first in, first out.
 *
 * Runs on: the shard that owns the connection. Created when the first letter has to wait.
 * Full: `tryPut` returns false. `put` always finds room: it is for letters that no client can send
 *       at will, such as the end of the connection. Otherwise a full channel could not be left.
 */

/** A letter that may wait. */
export interface Waitable {
  readonly kind: string;
  /** Length of the frame that it came in, if a client sent it. */
  readonly bytes?: number;
}

/** A queue of letters with a bound. */
export class Mailbox<Letter extends Waitable> {
  readonly #bound: number;
  #letters: Letter[] = [];
  #next = 0;

  /** @param bound - the most letters that `tryPut` lets wait */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** Letters that wait. */
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

  /** Removes and returns the oldest letter. */
  take(): Letter | undefined {
    if (this.#next >= this.#letters.length) return undefined;
    const letter = this.#letters[this.#next];
    this.#next += 1;
    if (this.#next === this.#letters.length) {
      this.#letters = [];
      this.#next = 0;
    } else if (this.#next >= 64 && this.#next * 2 >= this.#letters.length) {
      // Letters that were taken are released half an array at a time: `take` stays cheap, and
      // a mailbox that is never empty does not grow.
      this.#letters = this.#letters.slice(this.#next);
      this.#next = 0;
    }
    return letter;
  }
}
