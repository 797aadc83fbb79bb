/**
 * The requests of this shard's clients whose sessions are on other shards.
 *
 * Runs on: shard; one for each.
 * Full: a request that the other shard does not accept in time, or whose shard ends, is answered as
 *       one whose session is not there.
 */

import { randomInt } from "node:crypto";

import type { ShardAddress } from "./forwarding-port.ts";
import {
  IncomingParts,
  OutgoingParts,
  packRecord,
  RECORD,
  shortGeneration,
  type ForwardingRecord,
} from "./forwarding-record.ts";
import { isSameShard, type ForwardingSender } from "./forwarding-sender.ts";
import { STATUS, type Caller } from "./request.ts";

/** How long a forwarded request may take. */
export interface ForwardingLimits {
  /** Until the other shard says that it has the whole request (ms). */
  readonly acceptMs: number;
  /** From then on (ms). */
  readonly answerMs: number;
  /** Status if it says so and then nothing more. */
  readonly lateStatus: number;
}

interface Call {
  readonly number: number;
  readonly to: ShardAddress;
  readonly generation: number;
  readonly caller: Caller;
  readonly limits: ForwardingLimits;
  readonly request: OutgoingParts;
  readonly answer: IncomingParts;
  isAccepted: boolean;
  untilMs: number;
}

/** Numbers of calls are used again after so many. */
const NUMBERS = 2 ** 32;
const DELIVERED = 1;

/** All requests that a shard forwards. */
export class ForwardedRequests {
  readonly #sender: ForwardingSender;
  readonly #calls = new Map<number, Call>();
  // A node that comes back begins with other numbers: nobody takes it for what it was before.
  #nextNumber = randomInt(NUMBERS);

  constructor(sender: ForwardingSender) {
    this.#sender = sender;
  }

  /** How many have no answer yet. */
  get size(): number {
    return this.#calls.size;
  }

  /**
   * Sends a request to the shard that has the session.
   *
   * @param generation - of that member; the thread must be the one that the session began on
   * @returns what to call when the client goes away; undefined if too much waits already
   */
  tryForward(
    to: ShardAddress,
    generation: number,
    request: Uint8Array,
    caller: Caller,
    limits: ForwardingLimits,
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
    if (!this.#sender.trySend(to, this.#nextPart(call))) return undefined;
    this.#calls.set(number, call);
    return () => this.#cancel(call);
  }

  /** Takes a record of a shard that has a session. */
  receive(from: ShardAddress, record: ForwardingRecord): void {
    const call = this.#calls.get(record.call);
    // Of a call that was given up: the other shard is told so, and keeps a batch that it sent.
    if (!call || !isSameShard(call.to, from)) return;
    if (record.type === RECORD.next) this.#goOn(call);
    else this.#takeAnswer(call, record);
  }

  /** Answers requests for the sessions of a member of this node that ended: they are gone. */
  memberGone(member: number): void {
    for (const call of this.#calls.values()) {
      if (this.#sender.isMember(call.to, member) && this.#calls.delete(call.number)) {
        call.caller.answer(STATUS.gone, "");
      }
    }
  }

  /** Gives up the requests whose time is over. */
  expire(nowMs: number): void {
    for (const call of this.#calls.values()) {
      if (nowMs < call.untilMs) continue;
      this.#giveUp(call, call.isAccepted ? call.limits.lateStatus : STATUS.unknown);
    }
  }

  /** Gives up all requests: this shard closes. The sessions lose nothing. */
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
      this.#sender.send(call.to, call.generation, this.#nextPart(call));
    } else if (!call.isAccepted) {
      call.isAccepted = true;
      call.untilMs = performance.now() + call.limits.answerMs;
    }
  }

  #nextPart(call: Call): Uint8Array {
    const part = call.request.take();
    const { isDone: isLast } = call.request;
    const value = this.#sender.generation;
    return packRecord(RECORD.request, call.generation, call.number, { isLast, value, part });
  }

  #takeAnswer(call: Call, record: ForwardingRecord): void {
    call.answer.add(record.part);
    if (!record.isLast) {
      call.isAccepted = true;
      call.untilMs = performance.now() + call.limits.answerMs;
      this.#sender.send(
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
      this.#sender.send(call.to, call.generation, settled);
    });
  }

  #giveUp(call: Call, status: number): void {
    this.#cancel(call);
    call.caller.answer(status, "");
  }

  #cancel(call: Call): void {
    if (!this.#calls.delete(call.number)) return;
    const { to, generation, number } = call;
    this.#sender.send(to, generation, packRecord(RECORD.cancel, generation, number));
  }
}
