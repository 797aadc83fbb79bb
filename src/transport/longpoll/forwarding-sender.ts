/**
 * Sends records to other shards, and those that find no room again, in order.
 *
 * Runs on: shard; one for each.
 * Full: a request's first record may be refused, and its client is answered with 503; all that come
 *       after it wait here: one for each open request, of at most a part.
 */

import { isSamePeer, type SessionPeer } from "./forwarding-peer.ts";
import { shortGeneration } from "./forwarding-record.ts";
import type { SessionWire } from "./forwarding-port.ts";

interface Letter {
  readonly to: SessionPeer;
  readonly generation: number;
  readonly record: Uint8Array;
}

/** The way out of a shard. */
export class SessionMail {
  readonly wire: SessionWire;
  #waiting: Letter[] = [];

  constructor(wire: SessionWire) {
    this.wire = wire;
  }

  /** How often this shard's own number was retired before it. */
  get generation(): number {
    return shortGeneration(this.wire.generationOf(this.wire.peer.member) ?? 0);
  }

  /** Tells whether a shard is of another node: what is sent there may be lost. */
  isFar(peer: SessionPeer): boolean {
    return peer.node !== this.wire.peer.node;
  }

  /** Sends a record, or does not. */
  trySend(to: SessionPeer, record: Uint8Array): boolean {
    return !this.#isWaitingFor(to) && this.wire.send(to, record);
  }

  /** Sends a record, now or as soon as there is room, to the thread of this generation. */
  send(to: SessionPeer, generation: number, record: Uint8Array): void {
    if (!this.trySend(to, record)) this.#waiting.push({ to, generation, record });
  }

  /** Sends what waits. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const letters = this.#waiting;
    this.#waiting = [];
    for (const { to, generation, record } of letters) {
      if (this.#mayBe(to, generation)) this.send(to, generation, record);
    }
  }

  /** False where it is known that the thread of this generation has ended. */
  #mayBe(peer: SessionPeer, generation: number): boolean {
    if (this.isFar(peer)) return true;
    const now = this.wire.generationOf(peer.member);
    return now !== undefined && shortGeneration(now) === generation;
  }

  #isWaitingFor(to: SessionPeer): boolean {
    return this.#waiting.some((letter) => isSamePeer(letter.to, to));
  }
}
