/**
 * Members of one node on the test's thread: real rings and a real index, without an event loop.
 *
 * Runs on: the test's thread. `drain` delivers what other members have written.
 */

import { makeCountersMemory, Counters, readCounters } from "../../src/memory/counters.ts";
import type { CounterName } from "../../src/memory/counters-layout.ts";
import { BroadcastEncoder, topicName } from "../../src/protocol/broadcast-encoder.ts";
import type { Dispatcher } from "../../src/pubsub/dispatcher.ts";
import { HEADER_BYTES } from "../../src/pubsub/envelope.ts";
import { makeExchangeMemory } from "../../src/pubsub/exchange-layout.ts";
import { Exchange } from "../../src/pubsub/exchange.ts";
import type { LappedNotice } from "../../src/pubsub/exchange.ts";
import { PubSub } from "../../src/pubsub/pubsub.ts";
import type { Scope } from "../../src/pubsub/pubsub.ts";
import { SubscriptionIndex } from "../../src/pubsub/subscription-index.ts";
import { subscriptionIndexBytes } from "../../src/pubsub/subscription-index-layout.ts";

/** The sizes of a test's node. */
export interface NodeSizes {
  readonly members?: number;
  readonly ringBytes?: number;
  readonly overflowBytes?: number;
  readonly indexBits?: number;
  readonly link?: number;
}

/** A test's node: what its members share. */
export class TestNode {
  readonly seed = 7;
  readonly link: number;
  readonly layout: { readonly indexBits: number; readonly members: number };
  readonly exchangeMemory: ReturnType<typeof makeExchangeMemory>;
  readonly indexMemory: SharedArrayBuffer;
  readonly countersMemory: SharedArrayBuffer;
  readonly overflowBytes: number;

  constructor(sizes: NodeSizes = {}) {
    const { members = 3, ringBytes = 4_096, indexBits = 8, link = -1 } = sizes;
    this.link = link;
    this.overflowBytes = sizes.overflowBytes ?? 65_536;
    this.layout = { indexBits, members };
    this.exchangeMemory = makeExchangeMemory({ members, ringBytes });
    this.indexMemory = new SharedArrayBuffer(subscriptionIndexBytes(this.layout));
    this.countersMemory = makeCountersMemory(members);
  }

  /** Makes a member, with a dispatcher if it has lanes. */
  member<Lane = never>(member: number, dispatcher?: Dispatcher<Lane>): TestMember<Lane> {
    return new TestMember<Lane>(this, member, dispatcher);
  }
}

/** A member of a test's node. */
export class TestMember<Lane = never> {
  readonly index: SubscriptionIndex;
  readonly exchange: Exchange;
  readonly pubsub: PubSub<Lane>;
  readonly encoder = new BroadcastEncoder(HEADER_BYTES);
  /** Errors of listeners, and of failed deliveries. */
  readonly errors: unknown[] = [];
  readonly lapped: LappedNotice[] = [];
  readonly #node: TestNode;
  readonly #member: number;

  constructor(node: TestNode, member: number, dispatcher: Dispatcher<Lane> | undefined) {
    const counters = new Counters(node.countersMemory, member);
    this.#node = node;
    this.#member = member;
    this.index = new SubscriptionIndex(node.indexMemory, node.layout, member);
    this.exchange = new Exchange({
      memory: node.exchangeMemory,
      member,
      index: this.index,
      counters,
      overflowBytes: node.overflowBytes,
      overflowTotalBytes: node.overflowBytes * 4,
    });
    this.pubsub = new PubSub<Lane>({
      index: this.index,
      exchange: this.exchange,
      counters,
      dispatcher,
      link: node.link,
      hashSeed: node.seed,
      onListenerError: (error) => void this.errors.push(error),
    });
    this.exchange.attach({
      onRecord: (_from, type, bytes, offset, length) =>
        this.pubsub.deliverRecord(type, bytes, offset, length),
      onLapped: (_from, slots) => {
        this.lapped.push(slots);
        this.pubsub.lapped(slots);
      },
      onError: (error) => void this.errors.push(error),
    });
  }

  /** Delivers what other members have written. */
  drain(): void {
    this.exchange.drainNow();
  }

  /** Broadcasts like a host. */
  broadcast(
    topic: string,
    event: string,
    payload: unknown = {},
    scope: Scope = "cluster",
    from?: object,
  ): void {
    this.encoder.encode(topicName(topic), event, payload);
    this.pubsub.broadcast(topic, this.encoder, scope, from);
  }

  /** Broadcasts to one other node. */
  directBroadcast(node: string, topic: string, event: string, payload: unknown = {}): void {
    this.encoder.encode(topicName(topic), event, payload);
    this.pubsub.directBroadcast(topic, this.encoder, this.encoder.append(node));
  }

  counter(name: CounterName): number {
    return readCounters(this.#node.countersMemory, this.#member)[name];
  }
}
