/**
 * The requests of this shard's clients whose sessions are on other shards.
 *
 * Runs on: shard; one for each.
 * Full: a request that the other shard does not accept in time, or whose shard ends, is answered as
 *       one whose session is not there.
 */

import { randomInt } from "node:crypto";

import { IncomingParts, OutgoingParts } from "./parted-bytes.ts";
import { STATUS, type Caller } from "./caller.ts";
import { packRecord, RECORD, shortGeneration, type SessionRecord } from "./forwarding-record.ts";
import type { SessionMail } from "./forwarding-sender.ts";
import { isSamePeer, type SessionPeer } from "./forwarding-peer.ts";

/** How long a call may take. */
export interface CallLimits {
  /** Until the other shard says that it has the whole request (ms). */
  readonly acceptMs: number;
  /** From then on (ms). */
  readonly answerMs: number;
  /** Status where it says so and then nothing more. */
  readonly lateStatus: number;
}

interface Call {
  readonly number: number;
  readonly to: SessionPeer;
  readonly generation: number;
  readonly caller: Caller;
  readonly limits: CallLimits;
  readonly request: OutgoingParts;
  readonly answer: IncomingParts;
  isAccepted: boolean;
  untilMs: number;
}

/** Numbers of calls are used again after so many. */
const NUMBERS = 2 ** 32;
const DELIVERED = 1;

/** The calls of a shard. */
export class SessionCalls {
  readonly #mail: SessionMail;
  readonly #calls = new Map<number, Call>();
  // A node that comes back must not be taken for what it was before: its numbers are others.
  #nextNumber = randomInt(NUMBERS);

  constructor(mail: SessionMail) {
    this.#mail = mail;
  }

  /** Calls whose answer is not here. */
  get size(): number {
    return this.#calls.size;
  }

  /**
   * Sends a request to the shard that has the session.
   *
   * @param generation - of that member; the thread must be the one that the session began on
   * @returns what to call where the client goes away; undefined where too much waits already
   */
  tryCall(
    to: SessionPeer,
    generation: number,
    request: Uint8Array,
    caller: Caller,
    limits: CallLimits,
  ): (() => void) | undefined {
    const number = this.#takeNumber();
    const call: Call = {
      number,
      to,
      generation: shortGeneration(generation),
      caller,
      limits,
      request: new OutgoingParts(request),
      answer: new IncomingParts(),
      isAccepted: false,
      untilMs: performance.now() + limits.acceptMs,
    };
    if (!this.#mail.trySend(to, this.#nextPart(call))) return undefined;
    this.#calls.set(number, call);
    return () => this.#cancel(call);
  }

  /** Takes a record of a keeper. */
  receive(from: SessionPeer, record: SessionRecord): void {
    const call = this.#calls.get(record.call);
    // Of a call that was given up: the keeper will have read so, and keeps a batch that it sent.
    if (!call || !isSamePeer(call.to, from)) return;
    if (record.type === RECORD.next) this.#goOn(call);
    else this.#takeAnswer(call, record);
  }

  /** A member of this node ended: its sessions are gone. */
  memberGone(member: number): void {
    const gone = { ...this.#mail.wire.peer, member };
    for (const call of this.#calls.values()) {
      if (isSamePeer(call.to, gone) && this.#calls.delete(call.number)) {
        call.caller.answer(STATUS.gone, "");
      }
    }
  }

  /** Gives up what has had its time. */
  expire(nowMs: number): void {
    for (const call of this.#calls.values()) {
      if (nowMs < call.untilMs) continue;
      this.#giveUp(call, call.isAccepted ? call.limits.lateStatus : STATUS.unknown);
    }
  }

  /** Gives up all: this shard closes. The sessions lose nothing. */
  giveUpAll(): void {
    for (const call of this.#calls.values()) this.#giveUp(call, call.limits.lateStatus);
  }

  #takeNumber(): number {
    do this.#nextNumber = (this.#nextNumber + 1) % NUMBERS;
    while (this.#calls.has(this.#nextNumber));
    return this.#nextNumber;
  }

  #goOn(call: Call): void {
    if (!call.request.isDone) {
      call.untilMs = performance.now() + call.limits.acceptMs;
      this.#mail.send(call.to, call.generation, this.#nextPart(call));
    } else if (!call.isAccepted) {
      call.isAccepted = true;
      call.untilMs = performance.now() + call.limits.answerMs;
    }
  }

  #nextPart(call: Call): Uint8Array {
    const part = call.request.take();
    const { isDone: isLast } = call.request;
    const value = this.#mail.generation;
    return packRecord(RECORD.request, call.generation, call.number, { isLast, value, part });
  }

  #takeAnswer(call: Call, record: SessionRecord): void {
    call.answer.add(record.part);
    if (!record.isLast) {
      call.isAccepted = true;
      call.untilMs = performance.now() + call.limits.answerMs;
      this.#mail.send(
        call.to,
        call.generation,
        packRecord(RECORD.more, call.generation, call.number),
      );
      return;
    }
    this.#calls.delete(call.number);
    const messages = call.answer.whole().toString("utf8");
    if (record.value !== STATUS.messages || messages === "") {
      call.caller.answer(record.value, messages);
      return;
    }
    call.caller.answer(record.value, messages, (isDelivered) => {
      const value = isDelivered ? DELIVERED : 0;
      const settled = packRecord(RECORD.settled, call.generation, call.number, { value });
      this.#mail.send(call.to, call.generation, settled);
    });
  }

  #giveUp(call: Call, status: number): void {
    this.#cancel(call);
    call.caller.answer(status, "");
  }

  #cancel(call: Call): void {
    if (!this.#calls.delete(call.number)) return;
    const { to, generation, number } = call;
    this.#mail.send(to, generation, packRecord(RECORD.cancel, generation, number));
  }
}
