/**
 * Requests of other shards' clients whose sessions are on this shard.
 *
 * Runs on: shard; one for each.
 * Owns: a batch in an answer, until the other shard says whether it was delivered.
 */

import { STATUS, type Caller } from "./longpoll-caller.ts";
import { IncomingParts, OutgoingParts } from "./parted-bytes.ts";
import type { SessionMail } from "./session-mail.ts";
import { packRecord, RECORD, type SessionRecord } from "./session-record.ts";

/** Has a session of this shard answer a request; gives what to call where it is given up. */
export type Serve = (request: Uint8Array, caller: Caller) => () => void;

interface Kept {
  readonly from: number;
  readonly generation: number;
  readonly call: number;
  readonly request: IncomingParts;
  forget: (() => void) | undefined;
  answer: OutgoingParts | undefined;
  status: number;
  settled: ((isDelivered: boolean) => void) | undefined;
}

/** The requests that are kept for others. */
export class SessionKeeping {
  readonly #mail: SessionMail;
  readonly #serve: Serve;
  /** By member and call. */
  readonly #kept = new Map<string, Kept>();

  constructor(mail: SessionMail, serve: Serve) {
    this.#mail = mail;
    this.#serve = serve;
  }

  /** Requests that are not done with. */
  get size(): number {
    return this.#kept.size;
  }

  /** Takes a record of a caller. */
  receive(from: number, record: SessionRecord): void {
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

  /** A member ended: nobody asks any more. */
  memberGone(member: number): void {
    for (const kept of this.#kept.values()) {
      if (kept.from === member) this.#end(kept, false);
    }
  }

  #begin(from: number, { call, value }: SessionRecord): Kept {
    const kept: Kept = {
      from,
      generation: value,
      call,
      request: new IncomingParts(),
      forget: undefined,
      answer: undefined,
      status: STATUS.unknown,
      settled: undefined,
    };
    this.#kept.set(keyOf(from, call), kept);
    return kept;
  }

  #takePart(kept: Kept, record: SessionRecord): void {
    kept.request.add(record.part);
    const { from, generation, call } = kept;
    this.#mail.send(from, generation, packRecord(RECORD.next, generation, call));
    if (!record.isLast) return;
    const caller: Caller = {
      answer: (status, messages, settled) => this.#answer(kept, status, messages, settled),
    };
    kept.forget = this.#serve(kept.request.whole(), caller);
  }

  #answer(
    kept: Kept,
    status: number,
    messages: string,
    settled: ((isDelivered: boolean) => void) | undefined,
  ): void {
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
  }

  #end(kept: Kept | undefined, isDelivered: boolean): void {
    if (!kept) return;
    this.#kept.delete(keyOf(kept.from, kept.call));
    kept.forget?.();
    kept.settled?.(isDelivered);
  }
}

function keyOf(from: number, call: number): string {
  return `${from} ${call}`;
}
