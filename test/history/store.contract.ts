/**
 * The contract of all history stores, wherever they keep messages. See `src/history/store.ts`.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { FIRST_OFFSET } from "../../src/history/offsets.ts";
import type { HistoryLimits, HistoryRead, HistoryStore } from "../../src/history/store.ts";

/** What a store is made with. */
export interface StoreSettings {
  readonly maxBytes: number;
  readonly idleMs: number;
  readonly isInUse: (topic: string) => boolean;
}

/** Makes an empty store of the kind that is tested. */
export type MakeStore = (settings: StoreSettings) => HistoryStore;

/** A message as a test sees it: offset without FIRST_OFFSET, and text. */
export type Seen = readonly [offset: number, text: string];

/** Limits that nothing reaches. */
export const AMPLE: HistoryLimits = { size: 1_000_000, ttlMs: 1_000_000_000, maxBytes: 2 ** 30 };
const NO_LIMITS = { messages: Infinity, bytes: Infinity };
const NOW_MS = 1_800_000_000_000;
const SETTINGS: StoreSettings = { maxBytes: 65_536, idleMs: 60_000, isInUse: () => false };

/** Returns bytes with one byte for each character. */
export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

/** Reads messages after an offset, given without FIRST_OFFSET, and a copy of the result. */
export function readAll(
  store: HistoryStore,
  topic: string,
  after = -1,
  { nowMs = NOW_MS, limits = NO_LIMITS } = {},
): HistoryRead & { readonly seen: readonly Seen[] } {
  const seen: Seen[] = [];
  const read = store.read(
    topic,
    FIRST_OFFSET + after,
    limits,
    nowMs,
    (offset, _, bytes, start, length) => {
      seen.push([
        offset - FIRST_OFFSET,
        Buffer.from(bytes.subarray(start, start + length)).toString("latin1"),
      ]);
      return true;
    },
  );
  return { ...read, position: read.position - FIRST_OFFSET, seen };
}

/** Appends texts, and returns their offsets without FIRST_OFFSET. */
function appendAll(
  store: HistoryStore,
  topic: string,
  texts: readonly string[],
  { limits = AMPLE, nowMs = NOW_MS } = {},
): (number | undefined)[] {
  return texts.map((text) => {
    const offset = store.append(topic, limits, bytesOf(text), nowMs);
    return offset === undefined ? undefined : offset - FIRST_OFFSET;
  });
}

function failing(): never {
  assert.fail("visitor");
}

/** Declares the tests of a kind of store. */
export function testHistoryStore(name: string, makeStore: MakeStore): void {
  const make = (settings: Partial<StoreSettings> = {}): HistoryStore =>
    makeStore({ ...SETTINGS, ...settings });

  describe(`${name}: offsets`, () => {
    it("begin after 1000000000000 and rise by one in each topic", () => {
      const store = make();
      assert.equal(store.append("a", AMPLE, bytesOf("x"), NOW_MS), 1_000_000_000_001);
      assert.equal(store.append("a", AMPLE, bytesOf("x"), NOW_MS), 1_000_000_000_002);
      assert.equal(store.append("b", AMPLE, bytesOf("x"), NOW_MS), 1_000_000_000_001);
      assert.equal(store.head("a"), 1_000_000_000_002);
    });

    it("have the head before the first one while none is used", () => {
      const store = make();
      assert.equal(store.head("a"), 1_000_000_000_000);
      assert.equal(store.open("a", AMPLE, NOW_MS), true);
      assert.equal(store.head("a"), 1_000_000_000_000);
    });

    it("are used up by burns", () => {
      const store = make();
      assert.equal(store.burn("a", AMPLE, NOW_MS), FIRST_OFFSET);
      assert.equal(store.burn("a", AMPLE, NOW_MS, 3), FIRST_OFFSET + 3);
      assert.deepEqual(appendAll(store, "a", ["x"]), [4]);
      assert.equal(store.messages, 1);
    });

    it("go on after a clear", () => {
      const store = make();
      appendAll(store, "a", ["x", "y"]);
      store.clear("a");
      assert.equal(store.messages, 0);
      assert.deepEqual(appendAll(store, "a", ["z"]), [2]);
      assert.deepEqual(readAll(store, "a").seen, [[2, "z"]]);
    });

    it("go on after all messages have expired", () => {
      const store = make();
      const limits = { ...AMPLE, ttlMs: 10 };
      appendAll(store, "a", ["x", "y"], { limits });
      store.trim(NOW_MS + 10, 1_000);
      assert.equal(store.messages, 0);
      assert.deepEqual(appendAll(store, "a", ["z"], { limits, nowMs: NOW_MS + 10 }), [2]);
    });
  });

  describe(`${name}: a read`, () => {
    it("returns the messages after an offset, in order", () => {
      const store = make();
      appendAll(store, "a", ["zero", "", "two", "three"]);
      appendAll(store, "b", ["other"]);
      const { seen, ...rest } = readAll(store, "a", 0);
      assert.deepEqual(seen, [
        [1, ""],
        [2, "two"],
        [3, "three"],
      ]);
      assert.deepEqual(rest, {
        messages: 3,
        bytes: 8,
        position: 3,
        isAtHead: true,
        isComplete: true,
      });
    });

    it("returns nothing at the head, and is complete", () => {
      const store = make();
      appendAll(store, "a", ["x"]);
      const { seen, isComplete, isAtHead, position } = readAll(store, "a", 0);
      assert.deepEqual([seen, isComplete, isAtHead, position], [[], true, true, 0]);
    });

    it("is not complete above the head, nor in a topic without an epoch above its head", () => {
      const store = make();
      appendAll(store, "a", ["x"]);
      for (const topic of ["a", "unknown"]) {
        const { seen, isComplete, position } = readAll(store, topic, 1);
        assert.deepEqual([seen, isComplete], [[], false]);
        assert.equal(position, store.head(topic) - FIRST_OFFSET);
      }
      assert.equal(readAll(store, "unknown", -1).isComplete, true);
      assert.equal(store.topics, 1);
    });

    it("copies what was appended", () => {
      const store = make();
      const bytes = bytesOf("mine");
      store.append("a", AMPLE, bytes, NOW_MS);
      bytes.fill(0);
      assert.deepEqual(readAll(store, "a").seen, [[0, "mine"]]);
    });

    it("passes the time of each message, which never falls", () => {
      const store = make();
      for (const nowMs of [5, 9, 7, 10]) store.append("a", AMPLE, bytesOf("x"), nowMs);
      const times: number[] = [];
      store.read("a", 0, NO_LIMITS, 10, (_, timeMs) => times.push(timeMs) > 0);
      assert.deepEqual(times, [5, 9, 9, 10]);
    });

    it("stops at a number of messages, and continues from its position", () => {
      const store = make();
      appendAll(store, "a", ["x", "y", "z"]);
      const first = readAll(store, "a", -1, { limits: { messages: 2, bytes: Infinity } });
      assert.deepEqual([first.messages, first.position, first.isAtHead], [2, 1, false]);
      assert.equal(first.isComplete, true);
      const next = readAll(store, "a", 1, { limits: { messages: 2, bytes: Infinity } });
      assert.deepEqual([next.seen, next.isAtHead], [[[2, "z"]], true]);
    });

    it("stops before a number of bytes, but returns one message whatever its size", () => {
      const store = make();
      appendAll(store, "a", ["1234", "5678", "large message"]);
      const limits = { messages: Infinity, bytes: 8 };
      assert.equal(readAll(store, "a", -1, { limits }).messages, 2);
      assert.deepEqual(readAll(store, "a", 1, { limits }).seen, [[2, "large message"]]);
    });

    it("stops before the message that the visitor refuses", () => {
      const store = make();
      appendAll(store, "a", ["x", "y", "z"]);
      const read = store.read("a", FIRST_OFFSET - 1, NO_LIMITS, NOW_MS, (offset) => {
        return offset < FIRST_OFFSET + 1;
      });
      assert.equal(read.position, FIRST_OFFSET);
      assert.deepEqual([read.messages, read.isAtHead, read.isComplete], [1, false, true]);
    });

    it("passes an exception of the visitor on, and can be repeated", () => {
      const store = make();
      appendAll(store, "a", ["x"]);
      assert.throws(() => store.read("a", 0, NO_LIMITS, NOW_MS, failing), /visitor/);
      assert.deepEqual(readAll(store, "a").seen, [[0, "x"]]);
    });

    it("refuses a visitor that changes what is read, and answers questions", () => {
      const store = make();
      appendAll(store, "a", ["x"]);
      const visited = (call: () => void): void => {
        store.read("a", 0, NO_LIMITS, NOW_MS, () => {
          call();
          return true;
        });
      };
      const refused: (() => void)[] = [
        () => store.append("b", AMPLE, bytesOf("x"), NOW_MS),
        () => store.burn("a", AMPLE, NOW_MS),
        () => store.clear("a"),
        () => store.trim(NOW_MS, 1),
        () => readAll(store, "a"),
      ];
      for (const call of refused) {
        assert.throws(() => visited(call), { code: "SIM_ERR_INTERNAL" });
      }
      visited(() => {
        assert.equal(store.head("a"), FIRST_OFFSET);
        assert.equal(typeof store.epoch("a"), "string");
        assert.deepEqual(store.limits("a"), AMPLE);
      });
    });

    it("returns large messages", () => {
      const store = make({ maxBytes: 2 ** 21 });
      const texts = ["x".repeat(262_144), "y".repeat(70_000), "z", "u".repeat(300_001)];
      appendAll(store, "a", texts);
      assert.deepEqual(
        readAll(store, "a").seen.map(([, text]) => text),
        texts,
      );
    });
  });

  describe(`${name}: a read is not complete`, () => {
    const cases: Record<string, (store: HistoryStore) => void> = {
      "the topic was full": (store) => {
        appendAll(store, "a", ["x", "y", "z"], { limits: { ...AMPLE, size: 2 } });
      },
      "the topic had too many bytes": (store) => {
        appendAll(store, "a", ["xxxx", "yyyy", "zzzz"], { limits: { ...AMPLE, maxBytes: 8 } });
      },
      "the oldest expired": (store) => {
        const limits = { ...AMPLE, ttlMs: 10 };
        appendAll(store, "a", ["x"], { limits, nowMs: NOW_MS - 10 });
        appendAll(store, "a", ["y", "z"], { limits });
      },
      "the first was burned": (store) => {
        store.burn("a", AMPLE, NOW_MS);
        appendAll(store, "a", ["y", "z"]);
      },
      "an offset in the middle was burned": (store) => {
        appendAll(store, "a", ["x"]);
        store.burn("a", AMPLE, NOW_MS);
        appendAll(store, "a", ["z"]);
      },
      "the newest was burned": (store) => {
        appendAll(store, "a", ["x", "y"]);
        store.burn("a", AMPLE, NOW_MS);
      },
      "the topic was cleared": (store) => {
        appendAll(store, "a", ["x", "y", "z"]);
        store.clear("a");
      },
    };
    for (const [what, prepare] of Object.entries(cases)) {
      it(`if ${what}`, () => {
        const store = make();
        prepare(store);
        const { isComplete, position, isAtHead } = readAll(store, "a", -1);
        assert.deepEqual([isComplete, position, isAtHead], [false, 2, true]);
        assert.equal(readAll(store, "a", 2).isComplete, true);
      });
    }

    it("only across the burned offset", () => {
      const store = make();
      appendAll(store, "a", ["x", "y"]);
      store.burn("a", AMPLE, NOW_MS);
      appendAll(store, "a", ["z"]);
      assert.equal(readAll(store, "a", 0).isComplete, false);
      assert.equal(readAll(store, "a", 1).isComplete, false);
      assert.equal(readAll(store, "a", 2).isComplete, true);
      const limits = { messages: 1, bytes: Infinity };
      assert.equal(readAll(store, "a", 0, { limits }).isComplete, true);
      assert.equal(readAll(store, "a", 1, { limits }).isComplete, false);
    });
  });

  describe(`${name}: the last messages`, () => {
    it("follow the returned offset, and are all if there are fewer", () => {
      const store = make();
      appendAll(store, "a", ["x", "y", "z"]);
      const before = (count: number): number =>
        store.offsetBeforeLast("a", count, NOW_MS) - FIRST_OFFSET;
      assert.deepEqual([0, 1, 2, 3, 9].map(before), [2, 1, 0, -1, -1]);
    });

    it("are counted without burned offsets", () => {
      const store = make();
      appendAll(store, "a", ["x", "y"]);
      store.burn("a", AMPLE, NOW_MS, 2);
      appendAll(store, "a", ["z"]);
      store.burn("a", AMPLE, NOW_MS);
      const before = (count: number): number =>
        store.offsetBeforeLast("a", count, NOW_MS) - FIRST_OFFSET;
      assert.deepEqual([0, 1, 2, 3].map(before), [5, 3, 0, -1]);
    });

    it("are found in a long topic", () => {
      const store = make({ maxBytes: 2 ** 21 });
      for (let at = 0; at < 3_000; at += 1) {
        if (at % 7 === 0) store.burn("a", AMPLE, NOW_MS);
        store.append("a", { ...AMPLE, size: 2_500 }, bytesOf(String(at).padEnd(at % 99)), NOW_MS);
      }
      for (let count = 1; count <= 2_500; count += 13) {
        const after = store.offsetBeforeLast("a", count, NOW_MS) - FIRST_OFFSET;
        const { seen } = readAll(store, "a", after);
        assert.equal(seen.length, count);
        assert.equal(seen[0]?.[0], after + 1);
        assert.equal(store.countAfter("a", FIRST_OFFSET + after, NOW_MS), count);
      }
    });

    it("are counted after any offset", () => {
      const store = make();
      assert.equal(store.countAfter("a", 0, NOW_MS), 0);
      store.burn("a", AMPLE, NOW_MS);
      assert.equal(store.countAfter("a", 0, NOW_MS), 0);
      appendAll(store, "a", ["x", "y"], { limits: { ...AMPLE, ttlMs: 10 } });
      store.burn("a", { ...AMPLE, ttlMs: 10 }, NOW_MS);
      const count = (after: number): number => store.countAfter("a", FIRST_OFFSET + after, NOW_MS);
      assert.deepEqual([-9, 0, 1, 2, 3, 9].map(count), [2, 2, 1, 0, 0, 0]);
      assert.equal(store.countAfter("a", 0, NOW_MS + 10), 0);
    });

    it("of a topic without messages follow its head", () => {
      const store = make();
      assert.equal(store.offsetBeforeLast("a", 5, NOW_MS), FIRST_OFFSET - 1);
      store.burn("a", AMPLE, NOW_MS);
      assert.equal(store.offsetBeforeLast("a", 5, NOW_MS), FIRST_OFFSET);
    });
  });

  describe(`${name}: limits`, () => {
    it("apply to what is kept already when they shrink", () => {
      const store = make();
      appendAll(store, "a", ["v", "w", "x", "y"]);
      appendAll(store, "a", ["z"], { limits: { ...AMPLE, size: 2 } });
      assert.deepEqual(readAll(store, "a").seen, [
        [3, "y"],
        [4, "z"],
      ]);
      assert.deepEqual(store.limits("a"), { ...AMPLE, size: 2 });
    });

    it("refuse a message that is too large, which uses no offset and removes nothing", () => {
      const store = make();
      appendAll(store, "a", ["x"]);
      const limits = { ...AMPLE, maxBytes: 4 };
      assert.deepEqual(appendAll(store, "a", ["12345", "1234"], { limits }), [undefined, 1]);
      appendAll(store, "a", ["y"]);
      assert.deepEqual(appendAll(store, "a", ["x".repeat(40_000)]), [undefined]);
      assert.equal(readAll(store, "a", 0).isComplete, true);
    });

    it("let a message expire at the end of its time, and not before", () => {
      const store = make();
      appendAll(store, "a", ["x"], { limits: { ...AMPLE, ttlMs: 10 } });
      assert.equal(readAll(store, "a", -1, { nowMs: NOW_MS + 9 }).messages, 1);
      const { messages, isComplete } = readAll(store, "a", -1, { nowMs: NOW_MS + 10 });
      assert.deepEqual([messages, isComplete], [0, false]);
      assert.equal(store.messages, 0);
    });
  });

  describe(`${name}: trim`, () => {
    it("removes expired messages of all topics, in parts", () => {
      const store = make();
      const limits = { ...AMPLE, ttlMs: 10 };
      for (const topic of ["a", "b", "c"]) appendAll(store, topic, ["x", "y"], { limits });
      appendAll(store, "d", ["x"]);
      let calls = 0;
      let removed = 0;
      for (; store.messages > 1 && calls < 20; calls += 1) {
        const count = store.trim(NOW_MS + 10, 2);
        assert.ok(count <= 2);
        removed += count;
      }
      assert.equal(removed, 6);
      assert.ok(calls > 2, `${calls} calls`);
      assert.deepEqual(readAll(store, "d").seen, [[0, "x"]]);
      assert.equal(store.evictedMessages, 0);
    });

    it("forgets topics without messages once they are idle, unless they are in use", () => {
      const store = make({ isInUse: (topic) => topic === "used" });
      for (const topic of ["used", "idle", "cleared"]) store.open(topic, AMPLE, NOW_MS);
      appendAll(store, "cleared", ["x"]);
      appendAll(store, "kept", ["x"]);
      store.clear("cleared");
      store.trim(NOW_MS + 59_999, 1_000);
      assert.equal(store.topics, 4);
      store.trim(NOW_MS + 60_000, 1_000);
      const left: string[] = [];
      store.visitTopics((topic) => left.push(topic));
      assert.deepEqual(left.toSorted(), ["kept", "used"]);
    });
  });

  describe(`${name}: the time of a topic's last use`, () => {
    it("is that of the last open, append or burn", () => {
      const store = make();
      assert.equal(store.usedMs("a"), undefined);
      store.open("a", AMPLE, NOW_MS);
      assert.equal(store.usedMs("a"), NOW_MS);
      store.append("a", AMPLE, bytesOf("x"), NOW_MS + 1);
      assert.equal(store.usedMs("a"), NOW_MS + 1);
      store.burn("a", AMPLE, NOW_MS + 2);
      assert.equal(store.usedMs("a"), NOW_MS + 2);
      readAll(store, "a", -1, { nowMs: NOW_MS + 3 });
      store.clear("a");
      assert.equal(store.usedMs("a"), NOW_MS + 2);
    });
  });

  describe(`${name}: an epoch`, () => {
    it("is the same for as long as the topic is known, and differs between topics and stores", () => {
      const store = make();
      store.open("a", AMPLE, NOW_MS);
      const epoch = store.epoch("a");
      appendAll(store, "a", ["x"]);
      store.clear("a");
      store.burn("a", AMPLE, NOW_MS);
      assert.equal(store.epoch("a"), epoch);
      appendAll(store, "b", ["x"]);
      assert.notEqual(store.epoch("b"), epoch);
      const other = make();
      other.open("a", AMPLE, NOW_MS);
      assert.notEqual(other.epoch("a"), epoch);
      assert.equal(store.epoch("unknown"), undefined);
    });

    it("is another one after the topic was forgotten, so that an old position is not continued", () => {
      const store = make();
      appendAll(store, "a", ["x", "y"]);
      const before = store.epoch("a");
      store.clear("a");
      store.trim(NOW_MS + 60_000, 1_000);
      assert.equal(store.epoch("a"), undefined);
      assert.deepEqual(appendAll(store, "a", ["other", "more", "and more"]), [0, 1, 2]);
      assert.notEqual(store.epoch("a"), before);
    });
  });

  describe(`${name}: the bound`, () => {
    it("is never exceeded; topics that were silent longest lose their oldest messages first", () => {
      const store = make({ maxBytes: 8_192 });
      const text = "x".repeat(100);
      for (const topic of ["a", "b", "c"]) appendAll(store, topic, Array(10).fill(text));
      appendAll(store, "a", [text]);
      while (store.evictedMessages === 0) appendAll(store, "d", [text]);
      assert.ok(store.bytes <= 8_192);
      const left = (topic: string): number => readAll(store, topic).messages;
      assert.deepEqual([left("a"), left("c")], [11, 10]);
      assert.equal(left("b"), 10 - store.evictedMessages);
      while (left("b") > 0) appendAll(store, "d", [text]);
      while (left("c") > 0) {
        assert.equal(left("a"), 11);
        appendAll(store, "d", [text]);
        assert.ok(store.bytes <= 8_192);
      }
      assert.equal(store.evictedBytes, store.evictedMessages * 100);
    });

    it("makes a topic that is alone lose its own oldest messages", () => {
      const store = make({ maxBytes: 8_192 });
      for (let at = 0; at < 200; at += 1) appendAll(store, "a", [String(at).padEnd(100)]);
      const { seen, isAtHead } = readAll(store, "a");
      assert.equal(seen.length + store.evictedMessages, 200);
      assert.deepEqual([seen.at(-1)?.[0], isAtHead], [199, true]);
      assert.equal(readAll(store, "a", 199 - seen.length).isComplete, true);
    });

    it("does not count messages that have expired as evicted", () => {
      const store = make({ maxBytes: 8_192 });
      const limits = { ...AMPLE, ttlMs: 10 };
      appendAll(store, "a", Array(30).fill("x".repeat(100)), { limits });
      appendAll(store, "a", ["x"], { limits, nowMs: NOW_MS + 1 });
      appendAll(store, "b", Array(30).fill("x".repeat(100)), { nowMs: NOW_MS + 10 });
      assert.deepEqual([store.evictedMessages, store.messages], [0, 31]);
    });

    it("makes room for topics by forgetting those without messages", () => {
      const store = make({ maxBytes: 8_192 });
      for (let at = 0; at < 1_000; at += 1) {
        assert.equal(store.open(`topic ${at}`, AMPLE, NOW_MS), true);
      }
      assert.ok(store.topics < 100);
      assert.equal(store.epoch("topic 0"), undefined);
      assert.notEqual(store.epoch("topic 999"), undefined);
    });

    it("lets topics that were only opened cost no messages of others", () => {
      const store = make({ maxBytes: 16_384 });
      appendAll(store, "a", ["x", "y"]);
      for (let at = 0; at < 1_000; at += 1) store.open(`topic ${at}`, AMPLE, NOW_MS);
      for (let at = 0; at < 20; at += 1) store.burn(`burned ${at}`, AMPLE, NOW_MS);
      assert.deepEqual([store.evictedMessages, store.messages], [0, 2]);
      assert.equal(readAll(store, "a").isComplete, true);
      appendAll(store, "b", Array(30).fill("x".repeat(100)));
      assert.deepEqual([store.evictedMessages, store.messages], [0, 32]);
    });

    it("does not make it forget topics in use", () => {
      const store = make({ maxBytes: 8_192, isInUse: () => true });
      let count = 0;
      while (count < 1_000 && store.open(`topic ${count}`, AMPLE, NOW_MS)) count += 1;
      assert.ok(count < 1_000, "topics in use were forgotten");
      assert.equal(store.topics, count);
      assert.equal(store.append("topic 0", AMPLE, bytesOf("x"), NOW_MS), undefined);
      assert.equal(store.burn("topic 0", AMPLE, NOW_MS), FIRST_OFFSET);
      assert.equal(store.burn("another", AMPLE, NOW_MS), undefined);
    });

    it("lets small messages follow large ones and large ones small ones, without end", () => {
      const store = make({ maxBytes: 32_768 });
      for (let round = 0; round < 50; round += 1) {
        for (let at = 0; at < 20; at += 1) {
          const size = round % 2 === 0 ? 10 : 1_000;
          const topic = `topic ${(round * 7 + at) % 30}`;
          assert.notEqual(store.append(topic, AMPLE, bytesOf("x".repeat(size)), NOW_MS), undefined);
        }
        assert.notEqual(
          store.append("large", AMPLE, bytesOf("x".repeat(12_000)), NOW_MS),
          undefined,
        );
      }
    });
  });

  describe(`${name}: what is kept`, () => {
    it("can be carried over to another store, with epochs, heads and gaps", () => {
      const [store, other] = [make(), make()];
      const long = "a topic with a name that is longer than one block ".repeat(8);
      for (const topic of ["a", "", "λόγος", long, "\ud800"]) {
        store.burn(topic, AMPLE, NOW_MS);
        appendAll(store, topic, [`${topic.length}`, "x"]);
        store.burn(topic, AMPLE, NOW_MS, 2);
        appendAll(store, topic, ["y"], { nowMs: NOW_MS + 1 });
        store.burn(topic, AMPLE, NOW_MS);
      }
      store.open("without messages", AMPLE, NOW_MS);
      copyStore(store, other);
      const topics: string[] = [];
      store.visitTopics((topic) => topics.push(topic));
      assert.deepEqual(topics, ["without messages", "a", "", "λόγος", long, "\ud800"]);
      const copied: string[] = [];
      other.visitTopics((topic) => copied.push(topic));
      assert.deepEqual(copied, topics);
      for (const topic of topics) {
        assert.deepEqual(readAll(other, topic), readAll(store, topic));
        assert.equal(other.epoch(topic), store.epoch(topic));
        assert.equal(other.head(topic), store.head(topic));
      }
    });

    it("does not replace a topic, and is not taken from a foreign position", () => {
      const store = make();
      store.open("a", AMPLE, NOW_MS);
      const epoch = store.epoch("a") as string;
      const restored = (topic: string, position: { epoch: string; offset: number }): boolean =>
        store.restore(topic, AMPLE, position, NOW_MS);
      assert.equal(restored("a", { epoch, offset: FIRST_OFFSET }), false);
      assert.equal(restored("b", { epoch: "No Epoch", offset: FIRST_OFFSET }), false);
      assert.equal(restored("b", { epoch, offset: 17 }), false);
      assert.equal(restored("b", { epoch, offset: 2 ** 53 }), false);
      assert.equal(store.topics, 1);
      assert.equal(restored("b", { epoch, offset: FIRST_OFFSET - 1 }), true);
    });
  });
}

/** Copies everything from one store to another, as a file would. */
function copyStore(from: HistoryStore, to: HistoryStore): void {
  from.visitTopics((topic) => {
    const limits = from.limits(topic) as HistoryLimits;
    const epoch = from.epoch(topic) as string;
    const first = readAll(from, topic).seen[0]?.[0];
    const offset = first === undefined ? from.head(topic) : FIRST_OFFSET + first - 1;
    assert.equal(to.restore(topic, limits, { epoch, offset }, NOW_MS), true);
    from.read(topic, 0, NO_LIMITS, NOW_MS, (at, timeMs, bytes, start, length) => {
      to.burn(topic, limits, timeMs, at - to.head(topic) - 1);
      const kept = to.append(topic, limits, bytes.subarray(start, start + length), timeMs);
      return kept === at;
    });
    to.burn(topic, limits, NOW_MS, from.head(topic) - to.head(topic));
  });
}
