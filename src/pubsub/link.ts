/**
 * Carries broadcasts between this node and the others: one more producer, one more consumer.
 *
 * What the members of this node broadcast comes here as records, and goes to the adapter with the
 * topic in front; what the adapter brings goes to the members that the index names. Nothing but
 * the topic is decoded.
 *
 * Runs on: link.
 * Full: as for any member: a broadcast of another node that finds no room waits, then laps. A
 *       broadcast larger than the overflow bound of this node is lost here, counted and logged.
 */

import { topicHash } from "../memory/topic-hash.ts";
import type { Adapter } from "./adapter.ts";
import { Envelope, KIND, rehash } from "./envelope.ts";
import { kindAndFlags, kindOf } from "./exchange-layout.ts";
import type { Exchange, LappedNotice } from "./exchange.ts";
import type { SubscriptionIndex } from "./subscription-index.ts";

/** What a link is made of. */
export interface LinkParts {
  readonly adapter: Adapter;
  readonly exchange: Exchange;
  readonly index: SubscriptionIndex;
  readonly hashSeed: number;
  /** Is told what could not be sent or delivered. */
  readonly onError: (error: unknown) => void;
  /** Is told that records of this node's members were lost on the way here. */
  readonly onLapped: (from: number, slots: LappedNotice) => void;
}

const NO_MEMBER = -1;

/** The link of a node. */
export class Link {
  readonly #parts: LinkParts;
  readonly #envelope = new Envelope();

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Connects, and carries from then on. */
  async start(): Promise<void> {
    const { adapter, exchange, onError, onLapped } = this.#parts;
    await adapter.start((topic, envelope) => this.#deliver(topic, envelope));
    exchange.start({
      onRecord: (_from, type, bytes, offset, length) => this.#send(type, bytes, offset, length),
      onLapped,
      onError,
    });
  }

  /** Sends what is left, and disconnects. */
  async stop(): Promise<void> {
    this.#parts.exchange.drainNow();
    this.#parts.exchange.stop();
    await this.#parts.adapter.stop();
  }

  #send(type: number, bytes: Uint8Array, offset: number, length: number): void {
    const { adapter } = this.#parts;
    const envelope = this.#envelope.read(bytes, offset, length);
    const topic = envelope.topic();
    if (kindOf(type) === KIND.direct) {
      const node = envelope.node();
      adapter.directBroadcast(node, topic, bytes.subarray(offset, offset + length));
    } else {
      adapter.broadcast(topic, bytes.subarray(offset, offset + length));
    }
  }

  #deliver(topic: string, envelope: Uint8Array): void {
    const { exchange, index, hashSeed, onError } = this.#parts;
    const hash = topicHash(hashSeed, topic);
    rehash(envelope, hash);
    const slot = index.slotOf(hash);
    const type = kindAndFlags(KIND.broadcast, 0);
    if (exchange.publish(slot, type, envelope, envelope.length, NO_MEMBER)) return;
    onError(new Error(`a broadcast of another node is too large, got ${envelope.length} (bytes)`));
  }
}
