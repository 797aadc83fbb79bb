/**
 * Forwards requests of long-poll clients to the shards with their sessions, and returns the answers.
 *
 * A session stays on the shard that opened it, but its client's requests may arrive at any shard,
 * because each request may use a new connection, a balancer chooses the node, and the engine
 * chooses the shard.
 *
 * Runs on: shard; one instance per shard.
 */

import type { BufferVisit } from "../../held-bytes.ts";
import { ForwardedRequests, type ForwardingLimits } from "./forwarded-requests.ts";
import type { ForwardingPort, ShardAddress } from "./forwarding-port.ts";
import { RECORD, unpackRecord } from "./forwarding-record.ts";
import { ForwardingSender } from "./forwarding-sender.ts";
import { ReceivedRequests, type Serve } from "./received-requests.ts";
import type { Caller } from "./request.ts";

/** All requests that are forwarded from or to a shard. */
export class Forwarding {
  readonly #sender: ForwardingSender;
  readonly #forwarded: ForwardedRequests;
  readonly #received: ReceivedRequests;

  /** @param longpollTimeoutMs - time limit for each step of a shard on another node */
  constructor(port: ForwardingPort, serve: Serve, longpollTimeoutMs: number) {
    this.#sender = new ForwardingSender(port);
    this.#forwarded = new ForwardedRequests(this.#sender);
    this.#received = new ReceivedRequests(this.#sender, serve, longpollTimeoutMs);
  }

  /** The number of open requests in both directions. */
  get size(): number {
    return this.#forwarded.size + this.#received.size;
  }

  /** Bytes of requests of clients here, and of their answers. */
  get heldBytes(): number {
    return this.#forwarded.heldBytes;
  }

  /** Visits each request of a client here. */
  visitHeld(visit: BufferVisit): void {
    this.#forwarded.visitHeld(visit);
  }

  /** See `ForwardedRequests.tryForward`. */
  tryForward(
    to: ShardAddress,
    generation: number,
    request: Uint8Array,
    caller: Caller,
    limits: ForwardingLimits,
  ): (() => void) | undefined {
    return this.#forwarded.tryForward(to, generation, request, caller, limits);
  }

  /** Handles a record from another shard. The bytes are not kept. */
  receive(from: ShardAddress, bytes: Uint8Array): void {
    const record = unpackRecord(bytes);
    const isOfClient = record.type <= RECORD.cancel;
    // A record for an earlier thread with this member's number.
    if (record.generation !== this.#sender.generation) this.#received.refuse(from, record);
    else if (isOfClient) this.#received.receive(from, record);
    else this.#forwarded.receive(from, record);
  }

  /** Forgets a member of this node that has ended. */
  memberGone(member: number): void {
    this.#forwarded.memberGone(member);
    this.#received.memberGone(member);
  }

  /** Answers all clients here that are waiting for other shards, because this shard is closing. */
  giveUpAll(): void {
    this.#forwarded.giveUpAll();
  }

  /** Sends waiting records, and abandons requests that have exceeded their time limit. */
  check(nowMs: number): void {
    this.#sender.flush();
    this.#forwarded.expire(nowMs);
    this.#received.expire(nowMs);
  }
}
