/**
 * Sends records to other shards, in order, and retries when there is no room.
 *
 * Runs on: shard; one instance for each service.
 * Full: the first record of a request may be refused; its caller is then told so. Later
 *       records wait here, at most one for each open request, with at most one part.
 */

import type { ForwardingPort, ShardAddress } from "./forwarding-port.ts";
import { shortGeneration, stampService, type Service } from "./forwarding-record.ts";

interface WaitingRecord {
  readonly to: ShardAddress;
  readonly generation: number;
  readonly record: Uint8Array;
}

/** The outgoing records of a service. */
export class ForwardingSender {
  readonly #port: ForwardingPort;
  readonly #service: Service;
  #waiting: WaitingRecord[] = [];

  constructor(port: ForwardingPort, service: Service) {
    this.#port = port;
    this.#service = service;
  }

  /** The generation of this shard's member. */
  get generation(): number {
    return shortGeneration(this.#port.generationOf(this.#port.address.member) ?? 0);
  }

  /** Reports whether a shard is on another node, so that records to it may be lost. */
  isFar(address: ShardAddress): boolean {
    return address.node !== this.#port.address.node;
  }

  /** Reports whether an address belongs to the given member of this node. */
  isMember(address: ShardAddress, member: number): boolean {
    return address.member === member && !this.isFar(address);
  }

  /** Sends a record unless there is no room, or other records to that shard are waiting. */
  trySend(to: ShardAddress, record: Uint8Array): boolean {
    stampService(record, this.#service);
    return !this.#isWaitingFor(to) && this.#port.send(to, record);
  }

  /** Sends a record to the thread of this generation, now or as soon as there is room. */
  send(to: ShardAddress, generation: number, record: Uint8Array): void {
    if (!this.trySend(to, record)) this.#waiting.push({ to, generation, record });
  }

  /** Sends the waiting records. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { to, generation, record } of waiting) {
      if (this.#mayExist(to, generation)) this.send(to, generation, record);
    }
  }

  /** False if the thread of this generation is known to have ended. */
  #mayExist(address: ShardAddress, generation: number): boolean {
    if (this.isFar(address)) return true;
    const now = this.#port.generationOf(address.member);
    return now !== undefined && shortGeneration(now) === generation;
  }

  #isWaitingFor(to: ShardAddress): boolean {
    return this.#waiting.some((one) => isSameShard(one.to, to));
  }
}

/** Reports whether two addresses belong to the same shard. */
export function isSameShard(a: ShardAddress, b: ShardAddress): boolean {
  return a.member === b.member && a.node === b.node;
}
