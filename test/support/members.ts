/**
 * Members of one node on the test's thread: real rings and a real index, without an event loop.
 *
 * Runs on: the test's thread. `drain` delivers what other members have written.
 */

import { LOG_LINES, Logger } from "../../src/log/logger.ts";
import type { CounterName } from "../../src/memory/counters-layout.ts";
import { makeCountersMemory, Counters, readCounters } from "../../src/memory/counters.ts";
import type { Dispatcher } from "../../src/pubsub/dispatcher.ts";
import { makeExchangeMemory } from "../../src/pubsub/exchange-layout.ts";
import type { Exchange } from "../../src/pubsub/exchange.ts";
import { Member } from "../../src/pubsub/member.ts";
import type { MemberMemory } from "../../src/pubsub/member.ts";
import { PubSub } from "../../src/pubsub/pubsub.ts";
import type { Scope } from "../../src/pubsub/pubsub.ts";
import type { SubscriptionIndex } from "../../src/pubsub/subscription-index.ts";
import { subscriptionIndexBytes } from "../../src/pubsub/subscription-index-layout.ts";

const NOTED: readonly string[] = [LOG_LINES.recordFailed.text, LOG_LINES.adapterFailed.text];

/** The sizes of a test's node. */
export interface NodeSizes {
  readonly members?: number;
  readonly ringBytes?: number;
  readonly overflowBytes?: number;
  readonly indexBits?: number;
  readonly link?: number;
  readonly keepers?: readonly number[];
  readonly seed?: number;
}

/** A test's node: what its members share. */
export class TestNode {
  readonly memory: MemberMemory;
  readonly counters: SharedArrayBuffer;
  readonly options: { readonly overflowBytes: number; readonly overflowTotalBytes: number };

  constructor(sizes: NodeSizes = {}) {
    const { members = 3, ringBytes = 4_096, indexBits = 8, link = -1, seed = 7 } = sizes;
    const indexLayout = { indexBits, members };
    const { overflowBytes = 65_536 } = sizes;
    this.options = { overflowBytes, overflowTotalBytes: overflowBytes * 4 };
    this.counters = makeCountersMemory(members);
    this.memory = {
      exchange: makeExchangeMemory({ members, ringBytes }),
      index: new SharedArrayBuffer(subscriptionIndexBytes(indexLayout)),
      indexLayout,
      hashSeed: seed,
      link,
      keepers: sizes.keepers ?? [],
      nodeName: "node",
    };
  }

  get seed(): number {
    return this.memory.hashSeed;
  }

  get link(): number {
    return this.memory.link;
  }

  get exchangeMemory(): MemberMemory["exchange"] {
    return this.memory.exchange;
  }

  /** Makes a member with its PubSub, and with a dispatcher if it has lanes. */
  member<Lane = never>(member: number, dispatcher?: Dispatcher<Lane>): TestMember<Lane> {
    return new TestMember<Lane>(this, member, dispatcher);
  }

  /** Makes a member without PubSub. Errors of records and of an adapter are recorded. */
  bare(member: number, errors: unknown[]): Member {
    const note = (fields: object, text: string): void => {
      if ("err" in fields && NOTED.includes(text)) errors.push(fields.err);
    };
    const logger = new Logger("error", { debug: note, info: note, warn: note, error: note });
    const { memory, options } = this;
    const counters = new Counters(this.counters, member);
    return new Member({ memory, member, counters, logger, options });
  }

  counter(member: number, name: CounterName): number {
    return readCounters(this.counters, member)[name];
  }
}

/** A member of a test's node, with its PubSub. */
export class TestMember<Lane = never> {
  readonly pubsub: PubSub<Lane>;
  /** Errors of listeners, and of failed deliveries. */
  readonly errors: unknown[] = [];
  readonly #node: TestNode;

  constructor(node: TestNode, member: number, dispatcher: Dispatcher<Lane> | undefined) {
    this.#node = node;
    this.pubsub = new PubSub<Lane>(node.bare(member, this.errors), dispatcher);
    this.pubsub.member.attach(this.pubsub);
  }

  get index(): SubscriptionIndex {
    return this.pubsub.member.index;
  }

  get exchange(): Exchange {
    return this.pubsub.member.exchange;
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
    this.pubsub.broadcast(topic, event, payload, scope, from);
  }

  /** Broadcasts to one other node. */
  directBroadcast(node: string, topic: string, event: string, payload: unknown = {}): void {
    this.pubsub.directBroadcast(node, topic, event, payload);
  }

  counter(name: CounterName): number {
    return this.#node.counter(this.pubsub.member.number, name);
  }
}
