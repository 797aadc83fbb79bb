/**
 * What a question costs a keeper, whose thread is shared by all topics.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Keeper } from "../../src/history/keeper.ts";
import { FIRST_OFFSET } from "../../src/history/offsets.ts";
import { PublishKeys } from "../../src/history/publish-keys.ts";
import { SlabStore } from "../../src/history/slab-store.ts";
import type { HistoryRead, MessageVisitor, ReadLimits } from "../../src/history/store.ts";
import { Logger } from "../../src/log/logger.ts";
import { Counters, makeCountersMemory } from "../../src/memory/counters.ts";
import { KIND } from "../../src/pubsub/envelope.ts";
import { kindAndFlags } from "../../src/pubsub/exchange-layout.ts";
import { Answer, packJson, type AnswerHead } from "../../src/pubsub/history-records.ts";
import { KeptTopics } from "../../src/pubsub/kept-topics.ts";
import { bytesOf } from "./store.contract.ts";

const TOPIC = "room:1";
const COUNT = 50_000;
const LIMITS = { size: 1_000_000, ttlMs: 1_000, maxBytes: 1_000_000_000, ephemeral: [] };

/** Counts the messages that are read. */
class CountingStore extends SlabStore {
  visited = 0;

  override read(
    topic: string,
    after: number,
    limits: ReadLimits,
    nowMs: number,
    visit: MessageVisitor,
  ): HistoryRead {
    return super.read(topic, after, limits, nowMs, (...message) => {
      this.visited += 1;
      return visit(...message);
    });
  }
}

/** What was answered: its head, and the number of messages in it. */
interface Answered {
  readonly head: AnswerHead;
  readonly messages: number;
}

function makeKeeper(): { store: CountingStore; ask: (question: object) => Answered } {
  const store = new CountingStore({ maxBytes: 16_000_000, seed: 1, idleMs: 1_000 });
  let answered: Answered | undefined;
  const keeper = new Keeper({
    post: {
      publish: () => true,
      send: (_to, _slot, _type, bytes, length) => {
        const answer = new Answer(bytes, 0, length);
        let messages = 0;
        while (answer.next()) messages += 1;
        answered = { head: answer.head, messages };
        return true;
      },
    },
    hashSeed: 1,
    slotOf: () => 0,
    kept: new KeptTopics([[{ pattern: "room:*", history: LIMITS }]]),
    store,
    maxAnswerBytes: 65_536,
    keys: new PublishKeys(1_000),
    counters: new Counters(makeCountersMemory(1), 0),
    logger: new Logger("silent"),
    now: () => 1,
  });
  const ask = (question: object): Answered => {
    const given = { ask: "pull", request: 1, topic: TOPIC, maxBytes: 4_096, ...question } as const;
    const bytes = packJson(given);
    keeper.onRecord(0, kindAndFlags(KIND.ask, 0), bytes, 0, bytes.length);
    assert.ok(answered);
    return answered;
  };
  return { store, ask };
}

describe("A keeper that is asked for much", () => {
  it("reads only what it answers, also if messages are missing in between", () => {
    const { store, ask } = makeKeeper();
    for (let at = 0; at < COUNT; at += 1) {
      if (at === 10 || at === COUNT - 7) store.burn(TOPIC, LIMITS, 1);
      store.append(TOPIC, LIMITS, bytesOf("a message"), 1);
    }
    const head = FIRST_OFFSET + COUNT + 1;
    const most = 4_096 / 9 + 1;
    const whole = { whole: true };
    const count = 7;
    for (const [question, expected] of [
      [
        { ...whole, last: 1_000_000 },
        { after: head - count, count, recovered: false },
      ],
      [
        { ...whole, last: 3 },
        { after: head - 3, count: 3, recovered: true },
      ],
      [
        { ...whole, after: FIRST_OFFSET },
        { after: head, count: 0, recovered: false },
      ],
      [
        { ...whole, after: FIRST_OFFSET, last: COUNT },
        { after: head - count, count, recovered: false },
      ],
      [
        { ...whole, after: 0 },
        { after: head, count: 0, recovered: false },
      ],
      [
        { ...whole, after: head - 2 },
        { after: head - 2, count: 2, recovered: true },
      ],
      [
        { ...whole, after: head },
        { after: head, count: 0, recovered: true },
      ],
      [{ after: FIRST_OFFSET + 20 }, { after: FIRST_OFFSET + 20, count: 0, recovered: true }],
    ] as const) {
      store.visited = 0;
      const { head: told, messages } = ask(question);
      const { after, recovered } = told;
      assert.deepEqual({ after, count: told.count, recovered }, expected, JSON.stringify(question));
      assert.ok(messages >= expected.count);
      assert.ok(store.visited <= most, `visited ${store.visited}`);
    }
  });

  it("tells the same as one that reads everything", () => {
    const { store, ask } = makeKeeper();
    const kept = "x x xx  xxx x".split("").map((mark) => mark === "x");
    for (const isKept of kept) {
      if (isKept) store.append(TOPIC, LIMITS, bytesOf("a"), 1);
      else store.burn(TOPIC, LIMITS, 1);
    }
    const end = kept.length;
    for (let length = 1; length <= end; length += 1) {
      const { head } = ask({ whole: true, last: length });
      const places = kept.flatMap((isKept, at) => (isKept ? [at] : [])).slice(-length);
      const from = places[0] as number;
      const after = Math.max(from, kept.lastIndexOf(false) + 1);
      assert.deepEqual(
        [head.after, head.count, head.recovered],
        [FIRST_OFFSET - 1 + after, end - after, after === from],
      );
    }
  });
});
