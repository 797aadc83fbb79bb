import { Logger } from "../../src/log/logger.ts";
import { Counters, makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import type { CounterName } from "../../src/memory/counters-layout.ts";
import { makeRingViews } from "../../src/memory/ring.ts";
import { Exchange } from "../../src/pubsub/exchange.ts";
import type { ExchangeHandler, LappedNotice } from "../../src/pubsub/exchange.ts";
import { makeExchangeMemory, ringPlace } from "../../src/pubsub/exchange-layout.ts";
import type { ExchangeMemory } from "../../src/pubsub/exchange-layout.ts";
import type { CoalescingWindow } from "../../src/pubsub/holding-windows.ts";
import { SubscriptionIndex } from "../../src/pubsub/subscription-index.ts";
import { subscriptionIndexBytes } from "../../src/pubsub/subscription-index-layout.ts";
import { startAt } from "./ring.ts";

export interface ExchangeWorldOptions {
  readonly members?: number;
  readonly ringBytes?: number;
  readonly indexBits?: number;
  readonly startPosition?: number;
  readonly overflowBytes?: number;
  readonly overflowTotalBytes?: number;
  readonly maxRecordsPerTurn?: number;
}

/** Everything that members share. Can be passed to a worker. */
export interface ExchangeShared {
  readonly memory: ExchangeMemory;
  readonly index: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly indexBits: number;
  readonly overflowBytes: number;
  readonly overflowTotalBytes: number;
  readonly maxRecordsPerTurn: number;
}

/** A member on this thread, and what it has seen. */
export interface TestMember {
  readonly exchange: Exchange;
  readonly index: SubscriptionIndex;
  /** `from:text` of each record, `from lapped 1,2` of each notice, `from threw message`. */
  readonly seen: string[];
  counter(name: CounterName): number;
  /** Drains, and returns what has been seen since the last call. */
  drained(limit?: number): string[];
}

const SILENT = new Logger("silent");

/** Makes the memory of a small exchange. */
export function makeExchangeShared(options: ExchangeWorldOptions = {}): ExchangeShared {
  const { members = 3, ringBytes = 256, indexBits = 4, startPosition = 0 } = options;
  const memory = makeExchangeMemory({ members, ringBytes });
  for (const ring of memory.rings) {
    const views = makeRingViews(ring);
    for (let from = 0; from < members; from += 1) {
      startAt(views, ringPlace(memory, from), startPosition);
    }
  }
  return {
    memory,
    index: new SharedArrayBuffer(subscriptionIndexBytes({ indexBits, members })),
    counters: makeCountersMemory(members),
    indexBits,
    overflowBytes: options.overflowBytes ?? 65_536,
    overflowTotalBytes: options.overflowTotalBytes ?? 262_144,
    maxRecordsPerTurn: options.maxRecordsPerTurn ?? 256,
  };
}

/** Makes one member's end of an exchange. */
export function makeExchange(
  shared: ExchangeShared,
  member: number,
  window?: CoalescingWindow,
): { exchange: Exchange; index: SubscriptionIndex } {
  const layout = { indexBits: shared.indexBits, members: shared.memory.members };
  const index = new SubscriptionIndex(shared.index, layout, member);
  const counters = new Counters(shared.counters, member);
  const { memory, maxRecordsPerTurn } = shared;
  const exchange = new Exchange({
    memory,
    member,
    index,
    counters,
    logger: SILENT,
    options: shared,
    window,
    maxRecordsPerTurn,
  });
  return { exchange, index };
}

/** Makes a member that records what it sees. A record "throw" makes its handler throw. */
export function makeMember(
  shared: ExchangeShared,
  member: number,
  window?: CoalescingWindow,
): TestMember {
  const { exchange, index } = makeExchange(shared, member, window);
  const seen: string[] = [];
  exchange.attach(notingHandler(seen));
  return {
    exchange,
    index,
    seen,
    counter: (name) => readCounters(shared.counters, member)[name],
    drained: (limit) => {
      exchange.drainNow(limit);
      return seen.splice(0);
    },
  };
}

/** Makes all members of a small exchange on this thread. */
export function makeMembers(options: ExchangeWorldOptions = {}): TestMember[] {
  const shared = makeExchangeShared(options);
  return shared.memory.rings.map((_, member) => makeMember(shared, member));
}

/** Makes a handler that records what it receives. */
export function notingHandler(seen: string[]): ExchangeHandler {
  return {
    onRecord: (from, _type, bytes, offset, length) => {
      const text = Buffer.from(bytes.subarray(offset, offset + length)).toString();
      if (text === "throw") throw new Error("handler");
      seen.push(`${from}:${text}`);
    },
    onLapped: (from, slots: LappedNotice) => {
      seen.push(`${from} lapped ${slots === "all" ? slots : slots.join()}`);
    },
    onError: (error, from) => {
      seen.push(`${from} threw ${error instanceof Error ? error.message : String(error)}`);
    },
  };
}

const encoder = new TextEncoder();

/** Publishes a text. */
export function publish(member: TestMember, slot: number, text: string, also = -1): boolean {
  const bytes = encoder.encode(text);
  return member.exchange.publish(slot, 1, bytes, bytes.length, also);
}

/** Sends a text to one member. */
export function send(from: TestMember, to: number, slot: number, text: string): boolean {
  const bytes = encoder.encode(text);
  return from.exchange.send(to, slot, 1, bytes, bytes.length);
}
