/**
 * Requests of this shard that are forwarded to other shards.
 *
 * Runs on: shard; one instance for each service.
 * Full: if the other shard ends or does not confirm a request in time, the request is answered as if there were
 *       nobody. If the node holds too much (`maxBufferBytes`), the largest requests are answered with 503.
 */

import { randomInt } from "node:crypto";

import type { BufferVisit } from "../../held-bytes.ts";
import { FORWARDING_STATUS, type ForwardingCaller } from "./answer.ts";
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

/** Time limits of a forwarded request. */
export interface ForwardingLimits {
  /** Time for the other shard to confirm that it has the whole request. */
  readonly confirmMs: number;
  /** Time for its answer, after that. */
  readonly answerMs: number;
  /** Status of the answer if the other shard confirms the request but does not answer. */
  readonly lateStatus: number;
}

interface Call {
  readonly number: number;
  readonly to: ShardAddress;
  readonly generation: number;
  readonly caller: ForwardingCaller;
  readonly limits: ForwardingLimits;
  readonly request: OutgoingParts;
  readonly answer: IncomingParts;
  isConfirmed: boolean;
  untilMs: number;
}

/** Call numbers are 32 bits, and wrap around. */
const NUMBERS = 2 ** 32;
const DELIVERED = 1;
const NO_BYTES = new Uint8Array(0);

/** A request of this size takes no more memory than the connection that waits for its answer. */
const SMALL_BYTES = 1_024;

/** All requests that a shard forwards. */
export class ForwardedRequests {
  readonly #sender: ForwardingSender;
  readonly #calls = new Map<number, Call>();
  // Random, so that records for an earlier process of this node do not match a call of this one.
  #nextNumber = randomInt(NUMBERS);

  constructor(sender: ForwardingSender) {
    this.#sender = sender;
  }

  /** The number of requests without an answer. */
  get size(): number {
    return this.#calls.size;
  }

  /** Bytes of the requests, and of the parts of answers that have arrived. */
  get heldBytes(): number {
    let sum = 0;
    for (const call of this.#calls.values()) sum += bytesOf(call);
    return sum;
  }

  /** Visits the requests that take memory: small ones do not, until a part of their answer arrives. */
  visitHeld(visit: BufferVisit): void {
    for (const call of this.#calls.values()) {
      const bytes = bytesOf(call);
      if (bytes > SMALL_BYTES)
        visit({ shed: () => this.#giveUp(call, FORWARDING_STATUS.busy) }, bytes);
    }
  }

  /**
   * Sends a request to another shard.
   *
   * @param generation - generation of that member
   * @returns a function to call if the caller goes away; undefined if there is no room for the request
   */
  tryForward(
    to: ShardAddress,
    generation: number,
    request: Uint8Array,
    caller: ForwardingCaller,
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
      isConfirmed: false,
      untilMs: performance.now() + limits.confirmMs,
    };
    if (!this.#sender.trySend(to, this.#nextPart(call))) return undefined;
    this.#calls.set(number, call);
    return () => this.#cancel(call);
  }

  /** Handles a record from a shard that serves requests. */
  receive(from: ShardAddress, record: ForwardingRecord): void {
    const call = this.#calls.get(record.call);
    // Undefined if the request was cancelled. The other shard is told so, and knows that its answer
    // was not delivered.
    if (!call || !isSameShard(call.to, from)) return;
    if (record.type === RECORD.next) this.#goOn(call);
    else this.#takeAnswer(call, record);
  }

  /**
   * Answers the requests to a member of this node that has ended.
   */
  memberGone(member: number): void {
    for (const call of this.#calls.values()) {
      if (this.#sender.isMember(call.to, member) && this.#calls.delete(call.number)) {
        call.caller.answer(FORWARDING_STATUS.gone, NO_BYTES);
      }
    }
  }

  /** Abandons requests that have exceeded their time limit. */
  expire(nowMs: number): void {
    for (const call of this.#calls.values()) {
      if (nowMs < call.untilMs) continue;
      this.#giveUp(call, call.isConfirmed ? call.limits.lateStatus : FORWARDING_STATUS.unknown);
    }
  }

  /** Abandons all requests, because this shard is closing. The other shards are told so. */
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
      call.untilMs = performance.now() + call.limits.confirmMs;
      this.#sender.send(call.to, call.generation, this.#nextPart(call));
    } else if (!call.isConfirmed) {
      call.isConfirmed = true;
      call.untilMs = performance.now() + call.limits.answerMs;
    }
  }

  #nextPart(call: Call): Uint8Array {
    const isFirst = !call.request.isBegun;
    const part = call.request.take();
    const { isDone: isLast } = call.request;
    const rest = { isLast, isFirst, value: this.#sender.generation, part };
    return packRecord(RECORD.request, call.generation, call.number, rest);
  }

  #takeAnswer(call: Call, record: ForwardingRecord): void {
    call.answer.add(record.part);
    if (!record.isLast) {
      call.isConfirmed = true;
      call.untilMs = performance.now() + call.limits.answerMs;
      this.#sender.send(
        call.to,
        call.generation,
        packRecord(RECORD.more, call.generation, call.number),
      );
      return;
    }
    this.#calls.delete(call.number);
    call.caller.answer(record.value, call.answer.whole(), (isDelivered) => {
      const value = isDelivered ? DELIVERED : 0;
      const settled = packRecord(RECORD.settled, call.generation, call.number, { value });
      this.#sender.send(call.to, call.generation, settled);
    });
  }

  #giveUp(call: Call, status: number): void {
    this.#cancel(call);
    call.caller.answer(status, NO_BYTES);
  }

  #cancel(call: Call): void {
    if (!this.#calls.delete(call.number)) return;
    const { to, generation, number } = call;
    this.#sender.send(to, generation, packRecord(RECORD.cancel, generation, number));
  }
}

function bytesOf({ request, answer }: Call): number {
  return request.length + answer.length;
}
