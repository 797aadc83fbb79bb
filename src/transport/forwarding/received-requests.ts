/**
 * Requests that other shards forward to this one.
 *
 * Runs on: shard; one instance for each service.
 * Owns: the answer, until the other shard reports whether it was delivered.
 * Slow: if a shard of another node does not perform its next step in time, a record may have been
 *       lost, and the request is forgotten. If it may have delivered the answer, the service is told that
 *       this is unknown.
 */

import { FORWARDING_STATUS, type ForwardingCaller, type Settled } from "./answer.ts";
import type { ShardAddress } from "./forwarding-port.ts";
import {
  IncomingParts,
  OutgoingParts,
  packRecord,
  RECORD,
  type ForwardingRecord,
} from "./forwarding-record.ts";
import type { ForwardingSender } from "./forwarding-sender.ts";

/**
 * Serves a request on this shard. Returns a function to call if the request is
 * abandoned.
 */
export type Serve = (request: Uint8Array, caller: ForwardingCaller) => () => void;

interface Received {
  readonly from: ShardAddress;
  readonly generation: number;
  readonly call: number;
  readonly request: IncomingParts;
  forget: (() => void) | undefined;
  answer: OutgoingParts | undefined;
  status: number;
  settled: Settled | undefined;
  /** Deadline for the other shard's next step; Infinity while it is this shard's turn. */
  untilMs: number;
}

/** All requests that other shards forward to a shard. */
export class ReceivedRequests {
  readonly #sender: ForwardingSender;
  readonly #serve: Serve;
  readonly #stepMs: number;
  /** The open requests by shard and call. */
  readonly #requests = new Map<string, Received>();

  /** @param stepMs - time limit for each step of a shard on another node */
  constructor(sender: ForwardingSender, serve: Serve, stepMs: number) {
    this.#sender = sender;
    this.#serve = serve;
    this.#stepMs = stepMs;
  }

  /** The number of open requests. */
  get size(): number {
    return this.#requests.size;
  }

  /** Handles a record from a shard that forwards requests. */
  receive(from: ShardAddress, record: ForwardingRecord): void {
    const received = this.#requests.get(keyOf(from, record.call));
    switch (record.type) {
      case RECORD.request:
        this.#takeRequest(from, received, record);
        break;
      case RECORD.more:
        if (received) this.#sendPart(received);
        break;
      case RECORD.settled:
        this.#end(received, record.value === 1);
        break;
      default:
        this.#end(received, false);
    }
  }

  /**
   * Handles a record for an earlier thread with this member's number. Shards of this node know that
   * the thread has ended; a shard of another node is told that nobody is here.
   */
  refuse(from: ShardAddress, { type, call, value: generation }: ForwardingRecord): void {
    if (type !== RECORD.request || !this.#sender.isFar(from)) return;
    const rest = { isLast: true, value: FORWARDING_STATUS.unknown };
    this.#sender.send(from, generation, packRecord(RECORD.answer, generation, call, rest));
  }

  /** Forgets the requests of a member of this node that has ended. */
  memberGone(member: number): void {
    for (const received of this.#requests.values()) {
      if (this.#sender.isMember(received.from, member)) this.#end(received, false);
    }
  }

  /** Forgets requests from other nodes that have exceeded their time limit. */
  expire(nowMs: number): void {
    for (const received of this.#requests.values()) {
      if (nowMs < received.untilMs) continue;
      // If the whole answer was sent, it may have been delivered.
      this.#end(received, received.answer?.isDone ? undefined : false);
    }
  }

  #takeRequest(from: ShardAddress, received: Received | undefined, record: ForwardingRecord): void {
    if (record.isFirst) {
      // One of an earlier process with the same number.
      this.#end(received, false);
      this.#takePart(this.#begin(from, record), record);
    } else if (received) {
      this.#takePart(received, record);
    }
    // The rest of a request that was forgotten is not a request, whatever its bytes look like.
  }

  #begin(from: ShardAddress, { call, value }: ForwardingRecord): Received {
    const received: Received = {
      from,
      generation: value,
      call,
      request: new IncomingParts(),
      forget: undefined,
      answer: undefined,
      status: FORWARDING_STATUS.unknown,
      settled: undefined,
      untilMs: Infinity,
    };
    this.#requests.set(keyOf(from, call), received);
    return received;
  }

  #takePart(received: Received, record: ForwardingRecord): void {
    received.request.add(record.part);
    const { from, generation, call } = received;
    this.#sender.send(from, generation, packRecord(RECORD.next, generation, call));
    this.#awaitNextStep(received, !record.isLast);
    if (!record.isLast) return;
    const caller: ForwardingCaller = {
      answer: (status, body, settled) => this.#answer(received, status, body, settled),
    };
    received.forget = this.#serve(received.request.whole(), caller);
  }

  #answer(
    received: Received,
    status: number,
    body: Uint8Array,
    settled: Settled | undefined,
  ): void {
    received.status = status;
    received.answer = new OutgoingParts(body);
    received.settled = settled;
    this.#sendPart(received);
  }

  #sendPart(received: Received): void {
    const { from, generation, call, answer, status: value } = received;
    if (!answer || answer.isDone) return;
    const part = answer.take();
    const { isDone: isLast } = answer;
    const record = packRecord(RECORD.answer, generation, call, { isLast, value, part });
    this.#sender.send(from, generation, record);
    if (isLast && !received.settled) this.#requests.delete(keyOf(from, call));
    this.#awaitNextStep(received, true);
  }

  // Sets no limit within a node, because nothing is lost there, and `memberGone` reports a shard
  // that ended.
  #awaitNextStep(received: Received, isOfOther: boolean): void {
    const isLimited = isOfOther && this.#sender.isFar(received.from);
    received.untilMs = isLimited ? performance.now() + this.#stepMs : Infinity;
  }

  #end(received: Received | undefined, isDelivered: boolean | undefined): void {
    if (!received) return;
    this.#requests.delete(keyOf(received.from, received.call));
    received.forget?.();
    received.settled?.(isDelivered);
  }
}

function keyOf({ node, member }: ShardAddress, call: number): string {
  return `${call} ${member} ${node}`;
}
