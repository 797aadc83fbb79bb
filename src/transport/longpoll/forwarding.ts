/**
 * Takes requests of long-poll clients to the shards that have their sessions, and brings the answers.
 *
 * A session lives on the shard that opened it, but its client's requests come to any: a client
 * opens connections as it likes, a balancer chooses the node, and the engine deals them out.
 *
 * Runs on: shard; one for each.
 */

import { ForwardedRequests, type ForwardingLimits } from "./forwarded-requests.ts";
import type { ForwardingPort, ShardAddress } from "./forwarding-port.ts";
import { RECORD, unpackRecord } from "./forwarding-record.ts";
import { ForwardingSender } from "./forwarding-sender.ts";
import { ReceivedRequests, type Serve } from "./received-requests.ts";
import type { Caller } from "./request.ts";

/** Both ends of all requests that are forwarded from and to a shard. */
export class Forwarding {
  readonly #sender: ForwardingSender;
  readonly #forwarded: ForwardedRequests;
  readonly #received: ReceivedRequests;

  /** @param longpollTimeoutMs - how long a shard of another node may take for its next step */
  constructor(port: ForwardingPort, serve: Serve, longpollTimeoutMs: number) {
    this.#sender = new ForwardingSender(port);
    this.#forwarded = new ForwardedRequests(this.#sender);
    this.#received = new ReceivedRequests(this.#sender, serve, longpollTimeoutMs);
  }

  /** Requests on their way, in either direction. */
  get size(): number {
    return this.#forwarded.size + this.#received.size;
  }

  /** Does what `ForwardedRequests.tryForward` does. */
  tryForward(
    to: ShardAddress,
    generation: number,
    request: Uint8Array,
    caller: Caller,
    limits: ForwardingLimits,
  ): (() => void) | undefined {
    return this.#forwarded.tryForward(to, generation, request, caller, limits);
  }

  /** Takes a record of another shard; the bytes are read during the call only. */
  receive(from: ShardAddress, bytes: Uint8Array): void {
    const record = unpackRecord(bytes);
    const isOfClient = record.type <= RECORD.cancel;
    // Meant for the thread that had this number before.
    if (record.generation !== this.#sender.generation) this.#received.refuse(from, record);
    else if (isOfClient) this.#received.receive(from, record);
    else this.#forwarded.receive(from, record);
  }

  /** Forgets a member of this node that ended. */
  memberGone(member: number): void {
    this.#forwarded.memberGone(member);
    this.#received.memberGone(member);
  }

  /** Answers all clients here that wait for other shards: this one closes. */
  giveUpAll(): void {
    this.#forwarded.giveUpAll();
  }

  /** Sends what found no room, and gives up the requests whose time is over. */
  look(nowMs: number): void {
    this.#sender.flush();
    this.#forwarded.expire(nowMs);
    this.#received.expire(nowMs);
  }
}
