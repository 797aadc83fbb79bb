/**
 * Histories that are saved to a file and restored by another process, which may have other limits.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import * as fc from "fast-check";

import { HistoryFileReader, HistoryFileWriter } from "../../src/history/history-file.ts";
import { FIRST_OFFSET } from "../../src/history/offsets.ts";
import { PublishKeys } from "../../src/history/publish-keys.ts";
import {
  restoreHistories,
  saveHistories,
  type Histories,
  type Restoring,
} from "../../src/history/saved-histories.ts";
import { SlabStore } from "../../src/history/slab-store.ts";
import type { HistoryLimits } from "../../src/history/store.ts";
import { AMPLE, bytesOf, readAll } from "./store.contract.ts";

const NOW_MS = 1_800_000_000_000;

function make(maxBytes = 1_000_000): Histories {
  const store = new SlabStore({ maxBytes, seed: 1, idleMs: 60_000, slabShift: 4 });
  return { store, keys: new PublishKeys(10_000) };
}

function topicsOf({ store }: Histories): string[] {
  const topics: string[] = [];
  store.visitTopics((topic) => topics.push(topic));
  return topics;
}

/** Appends texts of one character. */
function append({ store }: Histories, topic: string, texts: string, nowMs = NOW_MS): void {
  for (const text of texts) store.append(topic, AMPLE, bytesOf(text), nowMs);
}

function assertSame(one: Histories, other: Histories, topic: string): void {
  assert.equal(one.store.epoch(topic), other.store.epoch(topic));
  assert.equal(one.store.usedMs(topic), other.store.usedMs(topic));
  const head = other.store.head(topic) - FIRST_OFFSET;
  assert.equal(one.store.head(topic) - FIRST_OFFSET, head);
  for (let at = -1; at <= head + 1; at += 1) {
    assert.deepEqual(readAll(one.store, topic, at), readAll(other.store, topic, at));
  }
}

/** Keeps one topic only. */
function onlyOf(kept: string): (topic: string) => HistoryLimits | undefined {
  return (topic) => (topic === kept ? AMPLE : undefined);
}

describe("Saved histories", () => {
  let directory: string;
  let path: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "simurgh-saved-"));
    path = join(directory, "file");
  });
  after(() => rmSync(directory, { recursive: true }));

  function save(histories: Histories, nowMs = NOW_MS): void {
    const descriptor = openSync(path, "w");
    try {
      const writer = new HistoryFileWriter(descriptor, () => {});
      saveHistories(histories, writer, nowMs);
      writer.end();
    } finally {
      closeSync(descriptor);
    }
  }

  function restore(
    into: Histories,
    options: Partial<Restoring> = {},
    beforeAccess: () => void = () => {},
  ): Histories {
    const descriptor = openSync(path, "r");
    try {
      const reader = new HistoryFileReader(descriptor, beforeAccess);
      assert.equal(reader.check(), undefined);
      restoreHistories(into, reader, {
        limitsOf: () => AMPLE,
        adopt: (_topic, bytes) => bytes,
        hasMissed: false,
        nowMs: NOW_MS,
        ...options,
      });
      return into;
    } finally {
      closeSync(descriptor);
    }
  }

  describe("are the same afterwards", () => {
    it("with epochs, heads, gaps, times, and the order of silence", () => {
      const old = make();
      const long = "a topic with a name that is longer than one block ".repeat(8);
      for (const topic of ["a", "", "λόγος", long, "\ud800"]) {
        old.store.burn(topic, AMPLE, NOW_MS);
        append(old, topic, "xy");
        old.store.burn(topic, AMPLE, NOW_MS, 2);
        append(old, topic, "z", NOW_MS + 1);
        old.store.burn(topic, AMPLE, NOW_MS + 2);
      }
      old.store.open("without messages", AMPLE, NOW_MS + 3);
      append(old, "cleared", "xyz");
      old.store.clear("cleared");
      save(old);
      const restored = restore(make(), { nowMs: NOW_MS + 4 });
      assert.deepEqual(topicsOf(restored), topicsOf(old));
      for (const topic of topicsOf(old)) assertSame(restored, old, topic);
    });

    it("whatever happened to them", () => {
      const topic = fc.constantFrom("a", "b", "c");
      const operation = fc.oneof(
        { weight: 6, arbitrary: fc.tuple(fc.constant("append"), topic, fc.nat(600)) },
        fc.tuple(fc.constant("burn"), topic, fc.nat(3)),
        fc.tuple(fc.constant("clear"), topic, fc.constant(0)),
        fc.tuple(fc.constant("open"), topic, fc.constant(0)),
      );
      const limits = { ...AMPLE, size: 7, maxBytes: 2_000 };
      const runs = fc.array(operation, { maxLength: 60 });
      fc.assert(
        fc.property(runs, (operations) => {
          const old = make();
          for (const [at, [what, name, size]] of operations.entries()) {
            const nowMs = NOW_MS + at;
            const bytes = bytesOf(String(at % 10).repeat(size));
            if (what === "append") old.store.append(name, limits, bytes, nowMs);
            else if (what === "burn") old.store.burn(name, limits, nowMs, size);
            else if (what === "open") old.store.open(name, limits, nowMs);
            else old.store.clear(name);
          }
          save(old);
          const restored = restore(make(), { limitsOf: () => limits, nowMs: NOW_MS + 60 });
          assert.deepEqual(topicsOf(restored), topicsOf(old));
          for (const name of topicsOf(old)) assertSame(restored, old, name);
        }),
        { numRuns: 200 },
      );
    });

    it("with the keys of publishes that have not expired", () => {
      const old = make();
      const at = { epoch: "e", position: FIRST_OFFSET };
      old.keys.add("a", "1", at, NOW_MS + 1);
      old.keys.add("a", "2", at, NOW_MS + 3);
      old.keys.add("other", "3", at, NOW_MS + 3);
      save(old);
      const { keys } = restore(make(), { nowMs: NOW_MS + 1, limitsOf: onlyOf("a") });
      const found = (topic: string, key: string): unknown => keys.find(topic, key, NOW_MS);
      assert.deepEqual(
        [found("a", "1"), found("a", "2"), found("other", "3")],
        [undefined, at, undefined],
      );
    });
  });

  describe("are restored only as far as they", () => {
    it("have not expired", () => {
      const old = make();
      append(old, "a", "x", NOW_MS - 10);
      append(old, "a", "y", NOW_MS - 9);
      append(old, "b", "x", NOW_MS - 10);
      save(old, NOW_MS - 9);
      const restored = restore(make(), { limitsOf: () => ({ ...AMPLE, ttlMs: 10 }) });
      assert.equal(restored.store.messages, 1);
      assert.deepEqual(readAll(restored.store, "a", -1).seen, [[1, "y"]]);
      assert.equal(readAll(restored.store, "a", -1).isComplete, false);
      assert.equal(readAll(restored.store, "a", 0).isComplete, true);
      assert.equal(readAll(restored.store, "b", -1).isComplete, false);
      assert.equal(readAll(restored.store, "b", 0).isComplete, true);
      assert.equal(restored.store.epoch("b"), old.store.epoch("b"));
    });

    it("fit into the topic's limits", () => {
      const old = make();
      append(old, "a", "wxyz");
      old.store.append("b", AMPLE, bytesOf("large"), NOW_MS);
      append(old, "b", "z");
      save(old);
      const limits = { ...AMPLE, size: 2, maxBytes: 4 };
      const { store } = restore(make(), { limitsOf: () => limits });
      assert.deepEqual(readAll(store, "a", -1).seen, [
        [2, "y"],
        [3, "z"],
      ]);
      assert.equal(readAll(store, "a", 0).isComplete, false);
      assert.deepEqual(readAll(store, "b", -1).seen, [[1, "z"]]);
      assert.equal(readAll(store, "b", -1).isComplete, false);
    });

    it("fit into the store: the topics that were silent longest lose theirs", () => {
      const old = make();
      for (const topic of ["a", "b", "c"]) {
        for (let at = 0; at < 20; at += 1) {
          old.store.append(topic, AMPLE, bytesOf("x".repeat(200)), NOW_MS);
        }
      }
      save(old);
      const { store } = restore(make(7_000));
      const left = (topic: string): number => readAll(store, topic).messages;
      assert.equal(left("c"), 20);
      assert.ok(left("b") > 0 && left("b") < 20, `${left("b")} of b`);
      assert.equal(store.epoch("a"), undefined);
      assert.ok(store.bytes <= 7_000);
      assert.equal(store.epoch("b"), old.store.epoch("b"));
      assert.equal(readAll(store, "b", -1).isComplete, false);
    });

    it("are kept, and by this keeper", () => {
      const old = make();
      append(old, "a", "x");
      append(old, "b", "y");
      append(old, "c", "z");
      save(old);
      const restored = restore(make(), { limitsOf: onlyOf("b") });
      assert.deepEqual(topicsOf(restored), ["b"]);
      assert.deepEqual(readAll(restored.store, "b").seen, [[0, "y"]]);
    });

    it("are not restored already", () => {
      const old = make();
      append(old, "a", "xy");
      save(old);
      const other = make();
      append(other, "a", "z");
      const epoch = other.store.epoch("a");
      restore(other);
      assert.equal(other.store.epoch("a"), epoch);
      assert.deepEqual(readAll(other.store, "a").seen, [[0, "z"]]);
    });

    it("were read in time: a topic that was begun has its head", () => {
      const old = make(10_000_000);
      append(old, "a", "x");
      for (let at = 0; at < 20; at += 1) {
        old.store.append("b", AMPLE, bytesOf("x".repeat(50_000)), NOW_MS);
      }
      append(old, "c", "x");
      save(old);
      let accesses = 0;
      const restored = make(10_000_000);
      assert.throws(
        () =>
          restore(restored, {}, () => {
            accesses += 1;
            if (accesses > 8) throw new Error("time is up");
          }),
        { message: "time is up" },
      );
      assert.deepEqual(topicsOf(restored), ["a", "b"]);
      const { messages, isComplete } = readAll(restored.store, "b", -1);
      assert.ok(messages > 0 && messages < 20, `${messages} messages`);
      assert.equal(isComplete, false);
      assert.equal(restored.store.head("b"), FIRST_OFFSET + 19);
      assert.equal(readAll(restored.store, "b", 18).isComplete, false);
      assert.equal(readAll(restored.store, "b", 19).isComplete, true);
    });
  });

  describe("have a missing offset in each topic", () => {
    it("if broadcasts may have been missed meanwhile", () => {
      const old = make();
      append(old, "a", "xy");
      old.store.open("b", AMPLE, NOW_MS);
      save(old);
      const { store } = restore(make(), { hasMissed: true });
      assert.equal(store.head("a"), FIRST_OFFSET + 2);
      assert.equal(readAll(store, "a", 1).isComplete, false);
      assert.equal(readAll(store, "a", 2).isComplete, true);
      assert.deepEqual(readAll(store, "a", -1).seen, [
        [0, "x"],
        [1, "y"],
      ]);
      assert.equal(store.head("b"), FIRST_OFFSET);
    });
  });

  it("expire in order if the clock was set back", () => {
    const old = make();
    append(old, "a", "x", NOW_MS + 1_000_000);
    save(old, NOW_MS + 1_000_000);
    const limits = { ...AMPLE, ttlMs: 10 };
    const { store } = restore(make(), { limitsOf: () => limits });
    assert.equal(readAll(store, "a", -1, { nowMs: NOW_MS + 9 }).messages, 1);
    assert.equal(readAll(store, "a", -1, { nowMs: NOW_MS + 10 }).messages, 0);
  });

  it("are not believed if offsets do not rise", () => {
    const descriptor = openSync(path, "w");
    const writer = new HistoryFileWriter(descriptor, () => {});
    writer.topic({ name: "a", epoch: "k", head: FIRST_OFFSET, usedMs: NOW_MS });
    writer.message(FIRST_OFFSET + 1, NOW_MS, bytesOf("x"));
    writer.end();
    closeSync(descriptor);
    assert.throws(() => restore(make()), { code: "SIM_ERR_INTERNAL" });
  });
});
