/**
 * Takes the requests of long-poll sessions to the shards that have them, and brings the answers.
 *
 * A session lives on the shard that opened it, but its client's requests come to any: a client
 * opens connections as it likes, a balancer chooses the node, and the engine deals them out.
 *
 * Runs on: shard; one for each.
 */

import { SessionCalls, type CallLimits } from "./forwarded-requests.ts";
import { SessionKeeping, type Serve } from "./received-requests.ts";
import type { Caller } from "./caller.ts";
import { SessionMail } from "./forwarding-sender.ts";
import type { SessionPeer } from "./forwarding-peer.ts";
import { RECORD, unpackRecord } from "./forwarding-record.ts";
import type { SessionWire } from "./forwarding-port.ts";

/** The two ends of all requests that are forwarded from and to a shard. */
export class SessionForwarding {
  readonly #mail: SessionMail;
  readonly #calls: SessionCalls;
  readonly #keeping: SessionKeeping;

  /** @param peerTimeoutMs - how long a shard of another node may take for its next step */
  constructor(wire: SessionWire, serve: Serve, peerTimeoutMs: number) {
    this.#mail = new SessionMail(wire);
    this.#calls = new SessionCalls(this.#mail);
    this.#keeping = new SessionKeeping(this.#mail, serve, peerTimeoutMs);
  }

  /** Requests on their way, of either kind. */
  get size(): number {
    return this.#calls.size + this.#keeping.size;
  }

  /** As `tryCall` of the calls. */
  tryCall(
    to: SessionPeer,
    generation: number,
    request: Uint8Array,
    caller: Caller,
    limits: CallLimits,
  ): (() => void) | undefined {
    return this.#calls.tryCall(to, generation, request, caller, limits);
  }

  /** Takes a record of another shard; the bytes are read during the call only. */
  receive(from: SessionPeer, bytes: Uint8Array): void {
    const record = unpackRecord(bytes);
    const isOfCaller = record.type <= RECORD.cancel;
    // Meant for the thread that had this number before.
    if (record.generation !== this.#mail.generation) this.#keeping.refuse(from, record);
    else if (isOfCaller) this.#keeping.receive(from, record);
    else this.#calls.receive(from, record);
  }

  /** Forgets a member of this node that ended. */
  memberGone(member: number): void {
    this.#calls.memberGone(member);
    this.#keeping.memberGone(member);
  }

  /** Answers all that waits here for other shards: this one closes. */
  giveUpAll(): void {
    this.#calls.giveUpAll();
  }

  /** Sends what found no room, and gives up what has had its time. */
  look(nowMs: number): void {
    this.#mail.flush();
    this.#calls.expire(nowMs);
    this.#keeping.expire(nowMs);
  }
}
