/**
 * The messages of one POST, handled one after the other.
 *
 * On a serial socket the next is handed over when the one before is done with: the join that holds
 * up everything has settled, and what the channels make of it has left.
 *
 * Runs on: the session's shard.
 * Full: a message that takes longer than the window ends it with 408; what comes behind it is not
 *       handled, and its client connects anew.
 */

import type { ServedSocket } from "../../socket/served-socket.ts";
import { framesOf, NO_TEXT, type BodyFrame } from "./body.ts";
import { STATUS, type Caller } from "./caller.ts";

/** What a POST is for. */
export interface PostTarget {
  readonly isOpen: boolean;
  readonly socket: ServedSocket | undefined;
  readonly windowMs: number;
  /** Hands a frame to the socket. */
  receive(frame: string | Uint8Array): void;
  /** Ends the session of a client that sent what is no frame. */
  refuse(): void;
  /** Is told that the POST needs nothing more. */
  finished(post: LongPollPost): void;
}

/** A POST that is being handled. */
export class LongPollPost {
  readonly caller: Caller;
  readonly #target: PostTarget;
  readonly #frames: Iterator<BodyFrame>;
  /** What is handed over next. */
  #next: IteratorResult<BodyFrame>;
  #untilMs = 0;
  #isDone = false;
  #isScheduled = false;

  constructor(caller: Caller, target: PostTarget, body: Uint8Array, hasLines: boolean) {
    this.caller = caller;
    this.#target = target;
    this.#frames = framesOf(body, hasLines);
    this.#next = this.#frames.next();
  }

  /** Hands over messages, as far as that is to be done now. */
  run(): void {
    const { socket } = this.#target;
    while (!this.#isDone) {
      if (!this.#hasMore()) this.finish(STATUS.done);
      else if (!this.#handOver()) this.finish(STATUS.badLine);
      else {
        if (!socket?.isSerial || (!this.#hasMore() && !socket.isHeldUp)) continue;
        this.#untilMs = performance.now() + this.#target.windowMs;
        if (!socket.isHeldUp) this.resume();
        return;
      }
    }
  }

  /** Goes on in the next turn of the loop. */
  resume(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.run();
    });
  }

  /** Answers, and hands over nothing more. */
  finish(status: number): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#target.finished(this);
    this.caller.answer(status, "");
  }

  /** Forgets the client, which is gone. What it sent is handled all the same, as far as it was. */
  forget(): void {
    this.#isDone = true;
    this.#target.finished(this);
  }

  /** Gives up a message that takes too long. */
  look(nowMs: number): void {
    if (nowMs >= this.#untilMs) this.finish(STATUS.late);
  }

  #hasMore(): boolean {
    return this.#next.done !== true;
  }

  /** @returns false where the next line is no frame */
  #handOver(): boolean {
    const frame = this.#next.value as BodyFrame;
    if (frame === undefined) return false;
    if (frame === NO_TEXT) this.#target.refuse();
    else if (this.#target.isOpen) this.#target.receive(frame);
    if (this.#target.isOpen) this.#next = this.#frames.next();
    else this.finish(STATUS.late);
    return true;
  }
}
