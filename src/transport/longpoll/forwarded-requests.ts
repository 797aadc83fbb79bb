/**
 * Requests of this shard's clients that are forwarded to the shards with their sessions.
 *
 * Runs on: shard; one instance per shard.
 * Full: if the other shard ends or does not accept a request in time, the request is answered as if its
 *       session did not exist. If the node holds too much (`maxBufferBytes`), the largest requests are answered
 *       with 503.
 */

import { randomInt } from "node:crypto";

import type { BufferVisit } from "../../held-bytes.ts";
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

/** Time limits of a forwarded request. */
export interface ForwardingLimits {
  /** Time for the other shard to confirm that it has the whole request. */
  readonly pubsubTimeoutMs: number;
  /** Time for its answer, after that. */
  readonly answerMs: number;
  /** Status of the answer to the client if the other shard accepts the request but does not answer. */
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

/** Call numbers are 32 bits, and wrap around. */
const NUMBERS = 2 ** 32;
const DELIVERED = 1;

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

  /** Visits the requests that take memory: polls do not, until a part of their answer arrives. */
  visitHeld(visit: BufferVisit): void {
    for (const call of this.#calls.values()) {
      const bytes = bytesOf(call);
      if (bytes > SMALL_BYTES) visit({ shed: () => this.#giveUp(call, STATUS.busy) }, bytes);
    }
  }

  /**
   * Sends a request to the shard with its session.
   *
   * @param generation - that member's generation when the session was opened
   * @returns a function to call if the client goes away; undefined if there is no room for the request
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
      untilMs: performance.now() + limits.pubsubTimeoutMs,
    };
    if (!this.#sender.trySend(to, this.#nextPart(call))) return undefined;
    this.#calls.set(number, call);
    return () => this.#cancel(call);
  }

  /** Handles a record from a shard with a session. */
  receive(from: ShardAddress, record: ForwardingRecord): void {
    const call = this.#calls.get(record.call);
    // Undefined if the request was cancelled. The other shard is told so, and keeps the batch that
    // it sent.
    if (!call || !isSameShard(call.to, from)) return;
    if (record.type === RECORD.next) this.#goOn(call);
    else this.#takeAnswer(call, record);
  }

  /**
   * Answers the requests for sessions of a member that has ended, because these sessions are gone.
   */
  memberGone(member: number): void {
    for (const call of this.#calls.values()) {
      if (this.#sender.isMember(call.to, member) && this.#calls.delete(call.number)) {
        call.caller.answer(STATUS.gone, "");
      }
    }
  }

  /** Abandons requests that have exceeded their time limit. */
  expire(nowMs: number): void {
    for (const call of this.#calls.values()) {
      if (nowMs < call.untilMs) continue;
      this.#giveUp(call, call.isAccepted ? call.limits.lateStatus : STATUS.unknown);
    }
  }

  /** Abandons all requests, because this shard is closing. The sessions lose nothing. */
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
      call.untilMs = performance.now() + call.limits.pubsubTimeoutMs;
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

function bytesOf({ request, answer }: Call): number {
  return request.length + answer.length;
}
