/**
 * Forwards requests to other shards, of this node and of others, and returns the answers.
 *
 * Two services need this. A long-poll session stays on the shard that opened it, but its client's requests
 * may arrive at any shard, because each request may use a new connection, a balancer chooses the node, and
 * the engine chooses the shard. And custom transports call each other (`custom/transport-calls`).
 *
 * Runs on: shard; one instance for each service. The services share nothing but the port.
 */

import type { BufferVisit } from "../../held-bytes.ts";
import type { ForwardingCaller } from "./answer.ts";
import { ForwardedRequests, type ForwardingLimits } from "./forwarded-requests.ts";
import type { ForwardingPort, ShardAddress } from "./forwarding-port.ts";
import { RECORD, RECORD_HEADER_BYTES, unpackRecord, type Service } from "./forwarding-record.ts";
import { ForwardingSender } from "./forwarding-sender.ts";
import { ReceivedRequests, type Serve } from "./received-requests.ts";

/** All requests of a service that are forwarded from or to a shard. */
export class Forwarding {
  readonly #sender: ForwardingSender;
  readonly #forwarded: ForwardedRequests;
  readonly #received: ReceivedRequests;

  /**
   * @param serve - serves the requests of other shards
   * @param stepMs - time limit for each step of a shard on another node
   */
  constructor(port: ForwardingPort, service: Service, serve: Serve, stepMs: number) {
    this.#sender = new ForwardingSender(port, service);
    this.#forwarded = new ForwardedRequests(this.#sender);
    this.#received = new ReceivedRequests(this.#sender, serve, stepMs);
  }

  /** The number of open requests in both directions. */
  get size(): number {
    return this.#forwarded.size + this.#received.size;
  }

  /** Bytes of the requests that this shard forwards, and of their answers. */
  get heldBytes(): number {
    return this.#forwarded.heldBytes;
  }

  /** Visits each request that this shard forwards. */
  visitHeld(visit: BufferVisit): void {
    this.#forwarded.visitHeld(visit);
  }

  /** See `ForwardedRequests.tryForward`. */
  tryForward(
    to: ShardAddress,
    generation: number,
    request: Uint8Array,
    caller: ForwardingCaller,
    limits: ForwardingLimits,
  ): (() => void) | undefined {
    return this.#forwarded.tryForward(to, generation, request, caller, limits);
  }

  /** Handles a record from another shard. The bytes are not kept. */
  receive(from: ShardAddress, bytes: Uint8Array): void {
    // Nothing that a shard sends.
    if (bytes.length < RECORD_HEADER_BYTES) return;
    const record = unpackRecord(bytes);
    const isOfCaller = record.type <= RECORD.cancel;
    // A record for an earlier thread with this member's number.
    if (record.generation !== this.#sender.generation) this.#received.refuse(from, record);
    else if (isOfCaller) this.#received.receive(from, record);
    else this.#forwarded.receive(from, record);
  }

  /** Forgets a member of this node that has ended. */
  memberGone(member: number): void {
    this.#forwarded.memberGone(member);
    this.#received.memberGone(member);
  }

  /** Answers all callers here that wait for other shards, because this shard is closing. */
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
