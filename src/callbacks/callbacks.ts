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
 * Stuck: main may end a callback that holds the thread while the shard must close. V8 then unwinds the stack
 *       without running any `finally`; `recover` finds what was left behind.
 */

import { makeError } from "../errors.ts";
import { LiveCount } from "./live-count.ts";
import { Mailbox, type Waitable } from "./mailbox.ts";
import { handlerTimeout, ignoreOutcome, isThenable, promised } from "./promises.ts";
import { TurnQueue, type TurnTaker } from "./turn-queue.ts";
import type { WaitingBytes, WaitingOwner } from "./waiting-bytes.ts";

/** Something of user code that can be on the stack. The fields are written by Callbacks only. */
export interface Runner {
  /** True while a synchronous callback is on the stack. */
  isRunning: boolean;
  /** The channel's topic, or the path of a raw socket's mount. */
  readonly topic: string;
  /**
   * Ends the callee: a callback threw or timed out, or the mailbox is full.
   *
   * @param event - the event or callback that failed; null if there was no room for a letter
   */
  failed(event: unknown, error: unknown): void;
}

/** A channel or a raw socket. The fields are written by Callbacks only. */
export interface Callee<Letter extends Waitable = Waitable> extends Runner, TurnTaker {
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
  /** Called when no letters are waiting any more. */
  emptied(): void;
}

/** Notified of each callback; implemented by the shard. */
export interface CallbackWatch {
  /** Called before a callback. @returns the time, which is passed to `ends` */
  begins(topic: string, event: string): number;
  /** Called when a callback that began at `since` has returned or thrown. */
  ends(topic: string, event: string, since: number): void;
}

/** Result of a callback that threw or filled the mailbox. */
export const FAILED: unique symbol = Symbol("failed");

const TERMINATE = "terminate";

/** Maximum number of letters of one callee that are handled before other callees get a turn. */
const LETTERS_PER_TURN = 128;

type Failed = (error: unknown) => void;

interface Awaited {
  readonly limitMs: number;
  readonly makeTimeout: (limitMs: number) => Error;
  readonly failed: Failed;
}

/** Reports whether a letter was sent by the client. */
function isSent({ kind }: Waitable): boolean {
  return kind === "in" || kind === "control";
}

/** The runner of a shard's callbacks. */
export class Callbacks {
  /** Channels and raw sockets whose last callback has not finished. */
  readonly live = new LiveCount();
  /** Bytes of messages that wait in mailboxes and behind joins. */
  readonly waiting: WaitingBytes;
  readonly #maxMailbox: number;
  readonly #handlerTimeoutMs: number;
  readonly #watch: CallbackWatch;
  /** The callees whose callbacks are on the stack, outermost first, their events, and what a failure calls. */
  readonly #onStack: Runner[] = [];
  readonly #eventsOnStack: string[] = [];
  readonly #failuresOnStack: (Failed | undefined)[] = [];
  /** True once no last callbacks are run any more. */
  isAbandoned = false;
  readonly #awaited = new Map<Callee, Awaited>();
  readonly #turns = new TurnQueue<Callee>((callee) => this.#runMailbox(callee));

  constructor({
    maxMailbox,
    handlerTimeoutMs,
    waiting,
    watch,
  }: {
    readonly maxMailbox: number;
    readonly handlerTimeoutMs: number;
    readonly waiting: WaitingBytes;
    readonly watch: CallbackWatch;
  }) {
    this.#watch = watch;
    this.waiting = waiting;
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
      // Its client is not to blame for broadcasts.
      if (isSent(letter)) owner.waitTooMuch();
      else this.#fill(callee);
      return;
    }
    callee.mailbox ??= new Mailbox(this.#maxMailbox);
    if (callee.mailbox.tryPut(letter)) {
      this.#schedule(callee);
      return;
    }
    this.waiting.remove(owner, bytes);
    this.#fill(callee);
  }

  #fill<Letter extends Waitable>(callee: Callee<Letter>): void {
    // The callback that fills it is on the stack, and its callee ends when it returns.
    if (callee.isRunning) callee.isOverfull = true;
    else callee.failed(null, this.#full(callee));
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

  /** Drops the messages and broadcasts that wait for a callee. All other letters are still handled. */
  dropWaiting<Letter extends Waitable>(callee: Callee<Letter>): void {
    const bytes = callee.mailbox?.bytes ?? 0;
    if (bytes === 0) return;
    callee.mailbox?.dropCounted();
    this.waiting.remove(callee.owner, bytes);
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

  /** Creates the error for a letter that had no room: because of the letters, or else of their bytes. */
  #full<Letter extends Waitable>({ mailbox }: Callee<Letter>): Error {
    const isByCount = mailbox !== undefined && mailbox.length >= this.#maxMailbox;
    const most = isByCount
      ? `${this.#maxMailbox} (messages)`
      : `${this.waiting.maxBytes} (bytes, for all channels of a connection)`;
    return makeError("SIM_ERR_MAILBOX_FULL", `the mailbox must hold at most ${most}`);
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
    const name = typeof event === "string" ? event : "";
    const since = this.enter(callee, name, undefined);
    let result: unknown;
    try {
      result = callback(callee, argument);
    } catch (error) {
      this.leave(callee, name, since);
      callee.failed(event, error);
      return FAILED;
    }
    this.leave(callee, name, since);
    if (!callee.isOverfull) return result;
    ignoreOutcome(result);
    callee.failed(null, this.#full(callee));
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
    failed: Failed,
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
    failed: Failed,
  ): boolean {
    if (!callback || this.isAbandoned) {
      done();
      return false;
    }
    const since = this.enter(callee, TERMINATE, failed);
    let result: unknown;
    try {
      result = callback(callee, reason);
    } catch (error) {
      this.leave(callee, TERMINATE, since);
      failed(error);
      return false;
    }
    this.leave(callee, TERMINATE, since);
    if (isThenable(result)) {
      this.await(callee, result, done, failed);
      return true;
    }
    done();
    return false;
  }

  /**
   * Fails the callees whose callbacks were ended by main. If that was `terminate`, the callee is at its
   * end. Called at the beginning of a turn of the loop, when no callback can be on the stack.
   */
  recover(): void {
    while (this.#onStack.length > 0) {
      const callee = this.#onStack.pop();
      const event = this.#eventsOnStack.pop();
      const failed = this.#failuresOnStack.pop();
      if (!callee) return;
      callee.isRunning = false;
      this.#watch.ends(callee.topic, "", this.#watch.begins(callee.topic, ""));
      const error = callbackEnded("a callback");
      if (failed) failed(error);
      else callee.failed(event, error);
    }
    this.#turns.recover();
  }

  /**
   * Notes that user code begins. `run` and `terminate` do so themselves.
   *
   * @param failed - called instead of the runner's `failed` if main ends the code
   * @returns what `leave` needs
   */
  enter(callee: Runner, event: string, failed: Failed | undefined): number {
    callee.isRunning = true;
    this.#onStack.push(callee);
    this.#eventsOnStack.push(event);
    this.#failuresOnStack.push(failed);
    return this.#watch.begins(callee.topic, event);
  }

  /** Notes that user code which began with `enter` has returned or thrown. */
  leave(callee: Runner, event: string, since: number): void {
    callee.isRunning = false;
    this.#onStack.pop();
    this.#eventsOnStack.pop();
    this.#failuresOnStack.pop();
    this.#watch.ends(callee.topic, event, since);
    // A callback that called another one, such as by a broadcast, runs again.
    const depth = this.#onStack.length;
    if (depth > 0) this.#resume(depth - 1);
  }

  #resume(at: number): void {
    const callee = this.#onStack[at];
    const event = this.#eventsOnStack[at];
    if (callee && event !== undefined) this.#watch.begins(callee.topic, event);
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

/** Creates the error for user code that main has ended. */
export function callbackEnded(what: string): Error {
  return makeError(
    "SIM_ERR_CALLBACK_ENDED",
    `${what} must return: it held its thread while the shard had to close, and was ended`,
  );
}

function joinTimeout(timeoutMs: number): Error {
  return makeError("SIM_ERR_JOIN_TIMEOUT", `a join must settle within ${timeoutMs} (ms)`);
}
