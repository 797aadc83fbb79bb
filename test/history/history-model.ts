/**
 * Compares a history store with plain lists, through random calls.
 *
 * The lists know everything but which messages the bound evicts, and when topics without messages are
 * forgotten. For these, the test checks what the port promises of them: the order of silence, the
 * counters, topics in use, and epochs that never come back.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  array,
  assert as check,
  type Arbitrary,
  constant,
  integer,
  nat,
  oneof,
  property,
  record,
} from "fast-check";

import { FIRST_OFFSET } from "../../src/history/offsets.ts";
import type { HistoryLimits, HistoryStore } from "../../src/history/store.ts";
import { bytesOf, type MakeStore, readAll, type Seen } from "./store.contract.ts";

const TOPICS = ["a", "b", "a topic in use", "ω", "d".repeat(300)];
const IN_USE = TOPICS[2] as string;
const IDLE_MS = 50;
const LARGEST = 900;

/** Time until messages of a topic expire. It depends on the topic only. */
const TTLS_MS = [20, 100, 30, 1_000, 5];

type Call =
  | {
      readonly call: "append";
      readonly topic: number;
      readonly count: number;
      readonly size: number;
    }
  | { readonly call: "burn"; readonly topic: number; readonly count: number }
  | {
      readonly call: "limit";
      readonly topic: number;
      readonly size: number;
      readonly bytes: number;
    }
  | {
      readonly call: "read";
      readonly topic: number;
      readonly back: number;
      readonly messages: number;
      readonly bytes: number;
    }
  | { readonly call: "last"; readonly topic: number; readonly count: number }
  | { readonly call: "clear"; readonly topic: number }
  | { readonly call: "open"; readonly topic: number }
  | { readonly call: "wait"; readonly ms: number }
  | { readonly call: "trim"; readonly work: number };

function callOf(maxCount: number): Arbitrary<Call> {
  const topic = nat(TOPICS.length - 1);
  const append = record({
    call: constant("append" as const),
    topic,
    count: integer({ min: 1, max: maxCount }),
    size: nat(LARGEST),
  });
  const size = integer({ min: 1, max: maxCount * 3 });
  return oneof(
    append,
    append,
    append,
    record({ call: constant("burn" as const), topic, count: integer({ min: 1, max: 3 }) }),
    record({ call: constant("limit" as const), topic, size, bytes: nat(maxCount * LARGEST) }),
    record({
      call: constant("read" as const),
      topic,
      back: integer({ min: -2, max: maxCount * 3 }),
      messages: integer({ min: 1, max: maxCount }),
      bytes: nat(5 * LARGEST),
    }),
    record({ call: constant("last" as const), topic, count: nat(maxCount * 3) }),
    record({ call: constant("clear" as const), topic }),
    record({ call: constant("open" as const), topic }),
    record({ call: constant("wait" as const), ms: nat(IDLE_MS) }),
    record({ call: constant("trim" as const), work: integer({ min: 1, max: maxCount }) }),
  );
}

/** What a list knows of a topic. Offsets are without FIRST_OFFSET. */
interface Listed {
  epoch: string | undefined;
  head: number;
  messages: { readonly offset: number; readonly text: string; readonly timeMs: number }[];
  limits: HistoryLimits;
}

class Model {
  readonly #store: HistoryStore;
  readonly #maxBytes: number;
  readonly #topics: Listed[] = TTLS_MS.map((ttlMs) => ({
    epoch: undefined,
    head: -1,
    messages: [],
    limits: { size: 1_000_000, ttlMs, maxBytes: 1_000_000 },
  }));
  readonly #epochs = new Set<string>();
  /** Numbers of topics; the one that was silent longest is the first. */
  #order: number[] = [];
  #nowMs = 1_000;
  #appended = 0;
  #evicted = 0;

  constructor(store: HistoryStore, maxBytes: number) {
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  run(call: Call): void {
    if (call.call === "append") {
      for (let at = 0; at < call.count; at += 1)
        this.#append(call.topic, (call.size * (at + 1)) % LARGEST);
    } else this.#runOther(call);
    this.#compare();
  }

  #runOther(call: Exclude<Call, { call: "append" }>): void {
    const store = this.#store;
    if (call.call === "wait") this.#nowMs += call.ms;
    else if (call.call === "trim") store.trim(this.#nowMs, call.work);
    else {
      const topic = TOPICS[call.topic] as string;
      const listed = this.#topics[call.topic] as Listed;
      if (call.call === "burn") {
        const head = store.burn(topic, listed.limits, this.#nowMs, call.count);
        this.#begun(call.topic);
        listed.head += call.count;
        assert.equal(head, FIRST_OFFSET + listed.head);
      } else if (call.call === "limit") {
        listed.limits = { ...listed.limits, size: call.size, maxBytes: call.bytes };
      } else if (call.call === "clear") {
        store.clear(topic);
        listed.messages = [];
      } else if (call.call === "open") {
        assert.equal(store.open(topic, listed.limits, this.#nowMs), true);
        this.#begun(call.topic);
      } else if (call.call === "last") this.#last(topic, listed, call.count);
      else this.#read(topic, listed, call);
    }
  }

  #append(at: number, size: number): void {
    const listed = this.#topics[at] as Listed;
    const { limits } = listed;
    this.#appended += 1;
    const text = String(this.#appended).padEnd(size, "abcdefg");
    const offset = this.#store.append(TOPICS[at] as string, limits, bytesOf(text), this.#nowMs);
    this.#begun(at);
    if (text.length > limits.maxBytes) {
      assert.equal(offset, undefined);
      return;
    }
    listed.head += 1;
    assert.equal(offset, FIRST_OFFSET + listed.head);
    listed.messages.push({ offset: listed.head, text, timeMs: this.#nowMs });
    this.#expire();
    const bytes = (): number => listed.messages.reduce((sum, one) => sum + one.text.length, 0);
    while (listed.messages.length > limits.size || bytes() > limits.maxBytes) {
      listed.messages.shift();
    }
    this.#order = [...this.#order.filter((other) => other !== at), at];
    this.#compareEvictions();
  }

  /** Checks the epoch of a topic that was used. */
  #begun(at: number): void {
    const listed = this.#topics[at] as Listed;
    const epoch = this.#store.epoch(TOPICS[at] as string);
    assert.ok(epoch !== undefined);
    if (epoch === listed.epoch) return;
    this.#forgotten(at);
    assert.ok(!this.#epochs.has(epoch), `epoch ${epoch} came back`);
    this.#epochs.add(epoch);
    listed.epoch = epoch;
  }

  #forgotten(at: number): void {
    const listed = this.#topics[at] as Listed;
    this.#expire();
    assert.deepEqual(listed.messages, []);
    assert.ok(listed.epoch === undefined || TOPICS[at] !== IN_USE, "forgotten while in use");
    listed.epoch = undefined;
    listed.head = -1;
  }

  #expire(): void {
    for (const listed of this.#topics) {
      const { ttlMs } = listed.limits;
      listed.messages = listed.messages.filter(({ timeMs }) => timeMs + ttlMs > this.#nowMs);
    }
  }

  #last(topic: string, listed: Listed, count: number): void {
    this.#expire();
    const first = count === 0 ? undefined : listed.messages.slice(-count)[0];
    const expected = first === undefined ? listed.head : first.offset - 1;
    const before = this.#store.offsetBeforeLast(topic, count, this.#nowMs);
    assert.equal(before - FIRST_OFFSET, expected);
  }

  #read(topic: string, listed: Listed, call: Extract<Call, { call: "read" }>): void {
    this.#expire();
    const after = listed.head - call.back;
    const limits = { messages: call.messages, bytes: call.bytes };
    const read = readAll(this.#store, topic, after, { nowMs: this.#nowMs, limits });
    const next = listed.messages.filter(({ offset }) => offset > after);
    const seen: Seen[] = [];
    let bytes = 0;
    for (const { offset, text } of next.slice(0, call.messages)) {
      if (seen.length > 0 && bytes + text.length > call.bytes) break;
      seen.push([offset, text]);
      bytes += text.length;
    }
    const isAtHead = seen.length === next.length;
    const position = isAtHead ? listed.head : (seen.at(-1)?.[0] as number);
    const isComplete = after <= listed.head && position - after === seen.length;
    const messages = seen.length;
    assert.equal(this.#store.countAfter(topic, FIRST_OFFSET + after, this.#nowMs), next.length);
    assert.deepEqual(read, { messages, bytes, position, isAtHead, isComplete, seen });
  }

  /** Removes from the lists what the store has evicted, and checks that it might. */
  #compareEvictions(): void {
    const count = this.#store.evictedMessages - this.#evicted;
    if (count === 0) return;
    this.#evicted += count;
    let left = count;
    for (const at of this.#order) {
      const { messages } = this.#topics[at] as Listed;
      left -= messages.splice(0, left).length;
    }
    assert.equal(left, 0, "more was evicted than kept");
  }

  #compare(): void {
    this.#compareEvictions();
    this.#expire();
    const kept = this.#topics.map(({ messages }) =>
      messages.map(({ offset, text }) => [offset, text]),
    );
    for (const [at, topic] of TOPICS.entries()) {
      const { epoch } = this.#topics[at] as Listed;
      if (this.#store.epoch(topic) !== epoch) this.#forgotten(at);
      const { seen } = readAll(this.#store, topic, -1, { nowMs: this.#nowMs });
      assert.deepEqual(seen, kept[at]);
      assert.equal(this.#store.head(topic) - FIRST_OFFSET, (this.#topics[at] as Listed).head);
    }
    assert.equal(this.#store.messages, kept.flat().length);
    assert.equal(
      this.#store.topics,
      this.#topics.filter(({ epoch }) => epoch !== undefined).length,
    );
    assert.ok(this.#store.bytes <= this.#maxBytes);
  }

  /** Clears all topics, and checks that they take as much as in a store that never had messages. */
  end(fresh: HistoryStore): void {
    for (const [at, topic] of TOPICS.entries()) {
      this.#store.clear(topic);
      const { epoch, limits } = this.#topics[at] as Listed;
      if (epoch !== undefined) fresh.open(topic, limits, 0);
    }
    assert.equal(this.#store.bytes, fresh.bytes);
    this.#store.trim(Infinity, Infinity);
    assert.ok(this.#store.topics <= 1);
  }
}

function isInUse(topic: string): boolean {
  return topic === IN_USE;
}

/** Declares the model test of a kind of store. */
export function testHistoryModel(name: string, makeStore: MakeStore): void {
  const runs: [string, number, number, number, number][] = [
    ["that is always full", 8_192, 8, 60, 300],
    ["with long topics", 131_072, 150, 25, 30],
  ];
  describe(`${name}: compared with lists`, () => {
    for (const [what, maxBytes, maxCount, maxLength, numRuns] of runs) {
      it(`keeps the same, in a store ${what}`, () => {
        check(
          property(array(callOf(maxCount), { maxLength, size: "max" }), (calls) => {
            const make = (): HistoryStore => makeStore({ maxBytes, idleMs: IDLE_MS, isInUse });
            const model = new Model(make(), maxBytes);
            for (const call of calls) model.run(call);
            model.end(make());
          }),
          { numRuns },
        );
      });
    }
  });
}
