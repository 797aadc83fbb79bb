/**
 * Runs user callbacks, one at a time for each channel or raw socket, and handles letters in order.
 *
 * A letter for an idle callee is handled at once, and a synchronous callback costs no promise.
 * While a callback is running, letters wait in the callee's mailbox. The state is kept in fields of
 * the callee itself, so an idle callee needs no extra object.
 *
 *   idle --callback starts--> running --returned a value------------> idle
 *                                 |
 *                                 +--returned a promise--> busy --settled--> idle
 *                                                           +--timed out--> failed
 *
 * Runs on: shard; one for all its channels and raw sockets.
 * Full: if too many bytes of a connection's messages wait (`maxWaitingBytes`), the connection is closed.
 *       If the mailbox is full when a letter arrives (`maxMailbox`), or a callback does not settle
 *       in time (`handlerTimeoutMs`, `joinTimeoutMs`), the callee is ended by calling its `failed`.
 */

import { makeError } from "../errors.ts";
import { LiveCount } from "./live-count.ts";
import { Mailbox, type Waitable } from "./mailbox.ts";
import { handlerTimeout, ignoreOutcome, isThenable, promised } from "./promises.ts";
import { TurnQueue, type TurnTaker } from "./turn-queue.ts";
import { WaitingBytes, type WaitingOwner } from "./waiting-bytes.ts";

/** A channel or a raw socket. The fields are written by Callbacks only. */
export interface Callee<Letter extends Waitable = Waitable> extends TurnTaker {
  /** True while a synchronous callback is on the stack. */
  isRunning: boolean;
  /** True while the promise of a callback has not settled. */
  isBusy: boolean;
  /** When the promise was returned (ms, monotonic). */
  busySince: number;
  /** Number of the awaited promise; a promise with another number is ignored when it settles. */
  run: number;
  /** True if the callback on the stack has filled the mailbox. */
  isOverfull: boolean;
  /** Created when the first letter has to wait; dropped when no letters are waiting. */
  mailbox: Mailbox<Letter> | undefined;

  /** The socket of its connection. */
  readonly owner: WaitingOwner;
  /** False if letters wait for their turn even while it is idle. */
  readonly takesAtOnce: boolean;
  /** True while letters must wait because the join has not been answered. */
  readonly isWaiting: boolean;
  /** False once the callee is ending and drops letters. */
  readonly takesLetters: boolean;

  /** Handles one letter by calling `run`. */
  handle(letter: Letter): void;
  /**
   * Ends the callee: a callback threw or timed out, or the mailbox is full.
   *
   * @param event - the event or callback that failed; null if there was no room for a letter
   */
  failed(event: unknown, error: unknown): void;
  /** Called when no letters are waiting any more. */
  emptied(): void;
}

/** Result of a callback that threw or filled the mailbox. */
export const FAILED: unique symbol = Symbol("failed");

/** Maximum number of letters of one callee that are handled before other callees get a turn. */
const LETTERS_PER_TURN = 128;

interface Awaited {
  readonly limitMs: number;
  readonly makeTimeout: (limitMs: number) => Error;
  readonly failed: (error: unknown) => void;
}

/** The runner of a shard's callbacks. */
export class Callbacks {
  /** Channels and raw sockets whose last callback has not finished. */
  readonly live = new LiveCount();
  /** Bytes of messages that wait in mailboxes and behind joins. */
  readonly waiting: WaitingBytes;
  readonly #maxMailbox: number;
  readonly #handlerTimeoutMs: number;
  readonly #awaited = new Map<Callee, Awaited>();
  readonly #turns = new TurnQueue<Callee>((callee) => this.#runMailbox(callee));

  constructor({
    maxMailbox,
    maxWaitingBytes,
    handlerTimeoutMs,
  }: {
    readonly maxMailbox: number;
    readonly maxWaitingBytes: number;
    readonly handlerTimeoutMs: number;
  }) {
    this.waiting = new WaitingBytes(maxWaitingBytes);
    this.#maxMailbox = maxMailbox;
    this.#handlerTimeoutMs = handlerTimeoutMs;
  }

  // -- letters -----------------------------------------------------------------------------------

  /** Reports whether a letter would be handled at once. */
  isFree<Letter extends Waitable>(callee: Callee<Letter>): boolean {
    return (
      !callee.isRunning && !callee.isBusy && callee.mailbox === undefined && callee.takesAtOnce
    );
  }

  /** Handles a letter, now or in its turn. If there is no room for it, the callee has failed. */
  receive<Letter extends Waitable>(callee: Callee<Letter>, letter: Letter): void {
    if (this.isFree(callee)) {
      callee.handle(letter);
      this.flush(callee);
    } else this.keep(callee, letter);
  }

  /** Handles a letter that no client can send at will, for which there is always room. */
  tell<Letter extends Waitable>(callee: Callee<Letter>, letter: Letter): void {
    if (this.isFree(callee)) {
      callee.handle(letter);
      this.flush(callee);
    } else this.keepAlways(callee, letter);
  }

  /** Puts a letter into the mailbox. If there is no room for it, the callee has failed. */
  keep<Letter extends Waitable>(callee: Callee<Letter>, letter: Letter): void {
    if (!callee.takesLetters) return;
    const { owner } = callee;
    const { bytes = 0 } = letter;
    if (bytes > 0 && !this.waiting.add(owner, bytes)) {
      owner.waitTooMuch();
      return;
    }
    callee.mailbox ??= new Mailbox(this.#maxMailbox);
    if (callee.mailbox.tryPut(letter)) {
      this.#schedule(callee);
      return;
    }
    this.waiting.remove(owner, bytes);
    // The callback that fills it is on the stack, and its callee ends when it returns.
    if (callee.isRunning) callee.isOverfull = true;
    else callee.failed(null, this.#mailboxFull());
  }

  /** Puts a letter into the mailbox, for which there is always room. */
  keepAlways<Letter extends Waitable>(callee: Callee<Letter>, letter: Letter): void {
    if (!callee.takesLetters) return;
    callee.mailbox ??= new Mailbox(this.#maxMailbox);
    callee.mailbox.put(letter);
    this.#schedule(callee);
  }

  /** Handles now what waits for a callee, unless one of its callbacks is running. */
  flush<Letter extends Waitable>(callee: Callee<Letter>): void {
    if (callee.mailbox) this.#runMailbox(callee);
  }

  /** Handles what waits for a callee once the loop has read all input that has arrived. */
  flushLater<Letter extends Waitable>(callee: Callee<Letter>): void {
    if (callee.mailbox) this.#turns.add(callee);
  }

  /** Drops the letters that wait for a callee. */
  dropMailbox<Letter extends Waitable>(callee: Callee<Letter>): void {
    const bytes = callee.mailbox?.bytes ?? 0;
    callee.mailbox = undefined;
    if (bytes > 0) this.waiting.remove(callee.owner, bytes);
  }

  #schedule<Letter extends Waitable>(callee: Callee<Letter>): void {
    const isAwaited = callee.isBusy || callee.isRunning || callee.isWaiting;
    if (!isAwaited) this.#turns.add(callee);
  }

  #runMailbox<Letter extends Waitable>(callee: Callee<Letter>): void {
    for (let count = 0; count < LETTERS_PER_TURN; count += 1) {
      if (callee.isBusy || callee.isRunning || callee.isWaiting) return;
      const letter = callee.takesLetters ? callee.mailbox?.take() : undefined;
      if (letter === undefined) {
        this.dropMailbox(callee);
        callee.emptied();
        return;
      }
      if (letter.bytes !== undefined) this.waiting.remove(callee.owner, letter.bytes);
      callee.handle(letter);
    }
    // A callee that keeps sending letters to itself must not starve the others.
    this.#turns.add(callee);
  }

  #mailboxFull(): Error {
    const message = `the mailbox must hold at most ${this.#maxMailbox} (messages)`;
    return makeError("SIM_ERR_MAILBOX_FULL", message);
  }

  // -- callbacks ---------------------------------------------------------------------------------

  /**
   * Runs a callback and returns its result, which may be a promise.
   *
   * @returns FAILED if the callback threw or filled the mailbox; the callee has then failed
   */
  run<Argument>(
    callee: Callee,
    event: unknown,
    callback: (callee: object, argument: Argument) => unknown,
    argument: Argument,
  ): unknown {
    callee.isRunning = true;
    let result: unknown;
    try {
      result = callback(callee, argument);
    } catch (error) {
      callee.isRunning = false;
      callee.failed(event, error);
      return FAILED;
    }
    callee.isRunning = false;
    if (!callee.isOverfull) return result;
    ignoreOutcome(result);
    callee.failed(null, this.#mailboxFull());
    return FAILED;
  }

  /**
   * Waits for the promise of a callback, then calls `settled` or `failed`, corked. Neither is called
   * after `forget`, since user code may settle its promise at any time.
   *
   * @param joinTimeoutMs - time limit if the callback is a join; defaults to `handlerTimeoutMs`
   */
  await(
    callee: Callee,
    promise: PromiseLike<unknown>,
    settled: (value: unknown) => void,
    failed: (error: unknown) => void,
    joinTimeoutMs?: number,
  ): void {
    callee.run += 1;
    const { run } = callee;
    callee.isBusy = true;
    callee.busySince = performance.now();
    this.#awaited.set(
      callee,
      joinTimeoutMs === undefined
        ? { limitMs: this.#handlerTimeoutMs, makeTimeout: handlerTimeout, failed }
        : { limitMs: joinTimeoutMs, makeTimeout: joinTimeout, failed },
    );
    const goOn = (next: (value: unknown) => void) => (value: unknown) => {
      if (callee.run !== run) return;
      this.forget(callee);
      callee.cork(() => next(value));
    };
    promised(promise).then(goOn(settled), goOn(failed));
  }

  /**
   * Runs the last callback of a callee, and calls `done` or `failed` when the callback has
   * finished.
   *
   * @returns false if the callback has finished already, true if its promise is awaited
   */
  terminate<Reason>(
    callee: Callee,
    callback: ((callee: object, reason: Reason) => unknown) | undefined,
    reason: Reason,
    done: () => void,
    failed: (error: unknown) => void,
  ): boolean {
    callee.isRunning = true;
    let result: unknown;
    try {
      result = callback?.(callee, reason);
    } catch (error) {
      callee.isRunning = false;
      failed(error);
      return false;
    }
    callee.isRunning = false;
    if (isThenable(result)) {
      this.await(callee, result, done, failed);
      return true;
    }
    done();
    return false;
  }

  /** Ignores whatever the awaited callback still returns. */
  forget(callee: Callee): void {
    callee.run += 1;
    callee.isBusy = false;
    this.#awaited.delete(callee);
  }

  /** Fails callbacks that have exceeded their time limit. Called from the shard's sweep. */
  checkTimeouts(nowMs: number): void {
    const late = [...this.#awaited].filter(
      ([callee, { limitMs }]) => nowMs - callee.busySince >= limitMs,
    );
    for (const [callee, { limitMs, makeTimeout, failed }] of late) {
      this.forget(callee);
      failed(makeTimeout(limitMs));
    }
  }
}

function joinTimeout(timeoutMs: number): Error {
  return makeError("SIM_ERR_JOIN_TIMEOUT", `a join must settle within ${timeoutMs} (ms)`);
}
