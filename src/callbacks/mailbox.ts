/**
 * Messages that wait for a channel or a raw socket, first in, first out.
 *
 * Runs on: the shard that owns the connection. Made when a first message has to wait.
 * Full: `tryPut` of a client's message returns false at the bound; the channel then ends. Ends
 *       (leave, close, missed) always find room, or a full channel could not be left; so does what
 *       its runtime tells it (told), which no client can send.
 */

import { makeError } from "../errors.ts";
import type { Ref } from "../protocol/message.ts";
import type { ExitReason } from "./results.ts";

/** What may wait for a channel. */
export type Letter =
  | { readonly kind: "in"; readonly event: unknown; readonly payload: unknown; readonly ref: Ref }
  | { readonly kind: "out"; readonly event: string; readonly payload: unknown }
  | { readonly kind: "info"; readonly message: unknown }
  | { readonly kind: "leave"; readonly ref: Ref }
  | { readonly kind: "close"; readonly reason: ExitReason }
  | { readonly kind: "told"; readonly name: "missed" | "expiring"; readonly count: number }
  | { readonly kind: "missed"; readonly why: string | undefined };

const ENDS: ReadonlySet<string> = new Set(["leave", "close", "missed", "told"]);

/** A queue with a bound. */
export class Mailbox<Kept extends { readonly kind: string } = Letter> {
  readonly #bound: number;
  #letters: Kept[] = [];
  #next = 0;

  /** @param bound - the most messages that may wait */
  constructor(bound: number) {
    this.#bound = bound;
  }

  get length(): number {
    return this.#letters.length - this.#next;
  }

  /** Adds a message; false at the bound, and then it is not added. */
  tryPut(letter: Kept): boolean {
    const isEnd = ENDS.has(letter.kind);
    if (!isEnd && this.length >= this.#bound) return false;
    this.#letters.push(letter);
    return true;
  }

  /** Takes the oldest message. */
  take(): Kept | undefined {
    if (this.#next >= this.#letters.length) return undefined;
    const letter = this.#letters[this.#next];
    this.#next += 1;
    if (this.#next === this.#letters.length) {
      this.#letters = [];
      this.#next = 0;
    } else if (this.#next >= 64 && this.#next * 2 >= this.#letters.length) {
      // What was taken is let go in halves, so that taking stays cheap and memory is given back.
      this.#letters = this.#letters.slice(this.#next);
      this.#next = 0;
    }
    return letter;
  }

  /** Forgets everything. */
  clear(): void {
    this.#letters = [];
    this.#next = 0;
  }
}

/** Makes the error of a channel that was sent more than its mailbox may hold. */
export function mailboxFull(bound: number): Error {
  const message = `the mailbox must hold at most ${bound} (messages)`;
  return makeError("SIM_ERR_MAILBOX_FULL", message);
}
