/**
 * Requests of other shards' clients whose sessions are on this shard.
 *
 * Runs on: shard; one for each.
 * Owns: a batch in an answer, until the other shard says whether it was delivered.
 * Slow: a shard of another node that does not take its next step in time is forgotten, as what it
 *       sent, or was sent, may be lost. Where it may have delivered a batch, nobody can know, and
 *       the session ends: its client joins anew.
 */

import { STATUS, type Caller, type Settled } from "./caller.ts";
import { IncomingParts, OutgoingParts } from "./parted-bytes.ts";
import type { SessionMail } from "./forwarding-sender.ts";
import { packRecord, RECORD, type SessionRecord } from "./forwarding-record.ts";
import { isSamePeer, type SessionPeer } from "./forwarding-peer.ts";

/** Has a session of this shard answer a request; gives what to call where it is given up. */
export type Serve = (request: Uint8Array, caller: Caller) => () => void;

interface Kept {
  readonly from: SessionPeer;
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

/** The requests that are kept for others. */
export class SessionKeeping {
  readonly #mail: SessionMail;
  readonly #serve: Serve;
  readonly #peerTimeoutMs: number;
  /** By shard and call. */
  readonly #kept = new Map<string, Kept>();

  /** @param peerTimeoutMs - how long a shard of another node may take for its next step */
  constructor(mail: SessionMail, serve: Serve, peerTimeoutMs: number) {
    this.#mail = mail;
    this.#serve = serve;
    this.#peerTimeoutMs = peerTimeoutMs;
  }

  /** Requests that are not done with. */
  get size(): number {
    return this.#kept.size;
  }

  /** Takes a record of a caller. */
  receive(from: SessionPeer, record: SessionRecord): void {
    const key = keyOf(from, record.call);
    const kept = this.#kept.get(key);
    switch (record.type) {
      case RECORD.request:
        this.#takePart(kept ?? this.#begin(from, record), record);
        break;
      case RECORD.more:
        if (kept) this.#sendPart(kept);
        break;
      case RECORD.settled:
        this.#end(kept, record.value === 1);
        break;
      default:
        this.#end(kept, false);
    }
  }

  /**
   * Takes a record for the thread that had this number before. Within a node everybody knows that
   * it ended; who asks from another one is told that the session is not here.
   */
  refuse(from: SessionPeer, { type, call, value: generation }: SessionRecord): void {
    if (type !== RECORD.request || !this.#mail.isFar(from)) return;
    const rest = { isLast: true, value: STATUS.unknown };
    this.#mail.send(from, generation, packRecord(RECORD.answer, generation, call, rest));
  }

  /** A member of this node ended: nobody asks any more. */
  memberGone(member: number): void {
    const gone = { ...this.#mail.wire.peer, member };
    for (const kept of this.#kept.values()) {
      if (isSamePeer(kept.from, gone)) this.#end(kept, false);
    }
  }

  /** Forgets shards of other nodes that have had their time. */
  expire(nowMs: number): void {
    for (const kept of this.#kept.values()) {
      // All of it was sent: it may have been delivered.
      if (nowMs >= kept.untilMs) this.#end(kept, kept.answer?.isDone ? undefined : false);
    }
  }

  #begin(from: SessionPeer, { call, value }: SessionRecord): Kept {
    const kept: Kept = {
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
    this.#kept.set(keyOf(from, call), kept);
    return kept;
  }

  #takePart(kept: Kept, record: SessionRecord): void {
    kept.request.add(record.part);
    const { from, generation, call } = kept;
    this.#mail.send(from, generation, packRecord(RECORD.next, generation, call));
    this.#awaitPeer(kept, !record.isLast);
    if (!record.isLast) return;
    const caller: Caller = {
      answer: (status, messages, settled) => this.#answer(kept, status, messages, settled),
    };
    kept.forget = this.#serve(kept.request.whole(), caller);
  }

  #answer(kept: Kept, status: number, messages: string, settled: Settled | undefined): void {
    kept.status = status;
    kept.answer = new OutgoingParts(Buffer.from(messages));
    kept.settled = settled;
    this.#sendPart(kept);
  }

  #sendPart(kept: Kept): void {
    const { from, generation, call, answer, status: value } = kept;
    if (!answer || answer.isDone) return;
    const part = answer.take();
    const { isDone: isLast } = answer;
    const record = packRecord(RECORD.answer, generation, call, { isLast, value, part });
    this.#mail.send(from, generation, record);
    if (isLast && !kept.settled) this.#kept.delete(keyOf(from, call));
    this.#awaitPeer(kept, true);
  }

  // Within a node nothing is lost, and whoever ends is known to have ended.
  #awaitPeer(kept: Kept, isItsTurn: boolean): void {
    const isLimited = isItsTurn && this.#mail.isFar(kept.from);
    kept.untilMs = isLimited ? performance.now() + this.#peerTimeoutMs : Infinity;
  }

  #end(kept: Kept | undefined, isDelivered: boolean | undefined): void {
    if (!kept) return;
    this.#kept.delete(keyOf(kept.from, kept.call));
    kept.forget?.();
    kept.settled?.(isDelivered);
  }
}

function keyOf({ node, member }: SessionPeer, call: number): string {
  return `${call} ${member} ${node}`;
}
