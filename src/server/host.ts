/**
 * The main thread's member of the exchange, with which the host broadcasts and subscribes.
 *
 * Runs on: main.
 */

import { Counters } from "../memory/counters.ts";
import type { Logger } from "../log/logger.ts";
import type { ResolvedOptions } from "../options/options.ts";
import { BroadcastEncoder, checkUsersTopic, topicName } from "../protocol/broadcast-encoder.ts";
import { HEADER_BYTES, type BroadcastHandler } from "../pubsub/envelope.ts";
import { Exchange, type LappedNotice } from "../pubsub/exchange.ts";
import { PubSub, type Scope } from "../pubsub/pubsub.ts";
import { SubscriptionIndex, type SubscriptionIndexStats } from "../pubsub/subscription-index.ts";
import type { TopicCount } from "../pubsub/topic-counts.ts";
import type { NodeMemory } from "../shard/control.ts";
import { MAIN_MEMBER } from "./memory-plan.ts";

/** Main's PubSub. */
export class Host {
  readonly #memory: NodeMemory;
  readonly #encoder = new BroadcastEncoder(HEADER_BYTES);
  readonly #index: SubscriptionIndex;
  readonly #exchange: Exchange;
  readonly #pubsub: PubSub;
  readonly #logger: Logger;

  constructor(memory: NodeMemory, options: ResolvedOptions, logger: Logger) {
    this.#memory = memory;
    this.#logger = logger;
    const counters = new Counters(memory.counters, MAIN_MEMBER);
    this.#index = new SubscriptionIndex(memory.index, memory.indexLayout, MAIN_MEMBER);
    this.#exchange = new Exchange({
      memory: memory.exchange,
      member: MAIN_MEMBER,
      index: this.#index,
      counters,
      overflowBytes: options.overflowBytes,
      overflowTotalBytes: options.overflowTotalBytes,
      onStall: (stall) => logger.log(stall.isStalled ? "stalled" : "stallEnded", stall),
    });
    this.#pubsub = new PubSub({
      index: this.#index,
      exchange: this.#exchange,
      counters,
      dispatcher: undefined,
      link: memory.link,
      hashSeed: memory.hashSeed,
      onListenerError: (error, topic) => logger.log("recordFailed", { topic, err: error }),
    });
    this.#exchange.start({
      onRecord: (_from, type, bytes, offset, length) =>
        this.#pubsub.deliverRecord(type, bytes, offset, length),
      onLapped: (from, slots) => this.#lapped(from, slots),
      onError: (error, from) => logger.log("recordFailed", { from, err: error }),
    });
  }

  broadcast(topic: string, event: string, payload: unknown, scope: Scope): void {
    checkUsersTopic(topic);
    this.#encoder.encode(topicName(topic), event, payload ?? {});
    this.#pubsub.broadcast(topic, this.#encoder, scope);
  }

  directBroadcast(node: string, topic: string, event: string, payload: unknown): void {
    if (node === this.#memory.nodeName) {
      this.broadcast(topic, event, payload, "node");
      return;
    }
    checkUsersTopic(topic);
    this.#encoder.encode(topicName(topic), event, payload ?? {});
    this.#pubsub.directBroadcast(topic, this.#encoder, this.#encoder.append(node));
  }

  /** Adds a handler. @returns a function that removes it */
  subscribe(topic: string, handler: BroadcastHandler, onGap: () => void): () => void {
    return this.#pubsub.listen(topic, handler, onGap);
  }

  /** Delivers the records that a member wrote before its thread ended, and forgets the member. */
  retire(member: number, hasLost: boolean): void {
    this.#exchange.drainFrom(member);
    this.#exchange.forget(member);
    if (hasLost) this.#lapped(member, "all");
  }

  /** Clears the bits that an ended thread left in the index. */
  clearMember(member: number): void {
    this.#index.clearMember(member);
  }

  /** Prepares a number for a new thread. Every member must have forgotten the old one. */
  resetMember(member: number): void {
    this.#exchange.resetMember(member);
  }

  /** Returns how many handlers a topic has on main. */
  count(topic: string): number {
    return this.#pubsub.count(topic);
  }

  /** Returns topics that have handlers on main, in alphabetical order. */
  topicCounts(prefix: string, limit: number): TopicCount[] {
    return this.#pubsub.topicCounts(prefix, limit);
  }

  indexStats(): SubscriptionIndexStats {
    return this.#index.stats();
  }

  stop(): void {
    this.#exchange.stop();
  }

  #lapped(from: number, slots: LappedNotice): void {
    this.#logger.log("lapped", { from, slots: slots === "all" ? slots : slots.length });
    this.#pubsub.lapped(slots);
  }
}
