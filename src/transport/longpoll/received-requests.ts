/**
 * Requests of other shards' clients whose sessions are on this shard.
 *
 * Runs on: shard; one for each.
 * Owns: a batch in an answer, until the other shard says whether it was delivered.
 * Slow: a shard of another node that does not take its next step in time is forgotten, as what it
 *       sent, or was sent, may be lost. If it may have delivered a batch, nobody can know, and the
 *       session ends: its client joins again.
 */

import type { ShardAddress } from "./forwarding-port.ts";
import {
  IncomingParts,
  OutgoingParts,
  packRecord,
  RECORD,
  type ForwardingRecord,
} from "./forwarding-record.ts";
import type { ForwardingSender } from "./forwarding-sender.ts";
import { STATUS, type Caller, type Settled } from "./request.ts";

/** Has a session of this shard answer a request; returns what to call if it is given up. */
export type Serve = (request: Uint8Array, caller: Caller) => () => void;

interface Received {
  readonly from: ShardAddress;
  readonly generation: number;
  readonly call: number;
  readonly request: IncomingParts;
  forget: (() => void) | undefined;
  answer: OutgoingParts | undefined;
  status: number;
  settled: Settled | undefined;
  /** Until when the other shard may take its next step; never, while the next is this one's. */
  untilMs: number;
}

/** All requests that a shard has from others. */
export class ReceivedRequests {
  readonly #sender: ForwardingSender;
  readonly #serve: Serve;
  readonly #longpollTimeoutMs: number;
  /** By shard and call. */
  readonly #requests = new Map<string, Received>();

  /** @param longpollTimeoutMs - how long a shard of another node may take for its next step */
  constructor(sender: ForwardingSender, serve: Serve, longpollTimeoutMs: number) {
    this.#sender = sender;
    this.#serve = serve;
    this.#longpollTimeoutMs = longpollTimeoutMs;
  }

  /** How many are not done with. */
  get size(): number {
    return this.#requests.size;
  }

  /** Takes a record of a shard that has a client. */
  receive(from: ShardAddress, record: ForwardingRecord): void {
    const received = this.#requests.get(keyOf(from, record.call));
    switch (record.type) {
      case RECORD.request:
        this.#takePart(received ?? this.#begin(from, record), record);
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
   * Takes a record for the thread that had this number before. Within a node every shard knows that
   * it ended; a shard of another node is told that the session is not here.
   */
  refuse(from: ShardAddress, { type, call, value: generation }: ForwardingRecord): void {
    if (type !== RECORD.request || !this.#sender.isFar(from)) return;
    const rest = { isLast: true, value: STATUS.unknown };
    this.#sender.send(from, generation, packRecord(RECORD.answer, generation, call, rest));
  }

  /** Forgets the requests of a member of this node that ended: nobody waits for their answers. */
  memberGone(member: number): void {
    for (const received of this.#requests.values()) {
      if (this.#sender.isMember(received.from, member)) this.#end(received, false);
    }
  }

  /** Forgets the requests of shards of other nodes whose time is over. */
  expire(nowMs: number): void {
    for (const received of this.#requests.values()) {
      if (nowMs < received.untilMs) continue;
      // All of the answer was sent: it may have been delivered.
      this.#end(received, received.answer?.isDone ? undefined : false);
    }
  }

  #begin(from: ShardAddress, { call, value }: ForwardingRecord): Received {
    const received: Received = {
      from,
      generation: value,
      call,
      request: new IncomingParts(),
      forget: undefined,
      answer: undefined,
      status: STATUS.unknown,
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
    const caller: Caller = {
      answer: (status, messages, settled) => this.#answer(received, status, messages, settled),
    };
    received.forget = this.#serve(received.request.whole(), caller);
  }

  #answer(
    received: Received,
    status: number,
    messages: string,
    settled: Settled | undefined,
  ): void {
    received.status = status;
    received.answer = new OutgoingParts(Buffer.from(messages));
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

  // Within a node nothing is lost, and a shard that ended is known to have ended.
  #awaitNextStep(received: Received, isOfOther: boolean): void {
    const isLimited = isOfOther && this.#sender.isFar(received.from);
    received.untilMs = isLimited ? performance.now() + this.#longpollTimeoutMs : Infinity;
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
